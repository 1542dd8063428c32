use super::harness::{Side, Wish, World, pair};
use crate::agent::state::Inward;

#[test]
fn the_order_of_each_peer_is_kept_and_no_peer_waits_for_another() {
    let w = World::paired();
    let carol = Side::new("carol");
    let with_alice = w.bob.key();
    pair((&carol, Wish::default()), (&w.bob, Wish::default())).unwrap();
    let with_carol = w.bob.key();
    w.bob.take(&carol.post());
    carol.take(&w.bob.post());
    for text in ["c1", "c2"] {
        carol.send(text).unwrap();
    }
    w.bob.take(&carol.post());
    w.bob.use_peer(with_alice);
    for text in ["a1", "a2"] {
        w.alice.send(text).unwrap();
    }
    w.bob.take(&w.alice.post());

    let (c1, text) = w.bob.claim("p").unwrap();
    assert_eq!(text, "c1", "the oldest first");
    // Another process may not overtake p within Carol's chain, but may serve Alice.
    let (a1, text) = w.bob.claim("q").unwrap();
    assert_eq!(text, "a1");
    assert_eq!(w.bob.claim("r"), None);
    // p itself goes on in the chain that it holds.
    assert_eq!(w.bob.claim("p").unwrap().1, "c2");
    w.bob.close(a1, Inward::Processed);
    assert_eq!(w.bob.claim("r").unwrap().1, "a2");
    w.bob.use_peer(with_carol);
    w.bob.close(c1, Inward::Processed);
    assert_eq!(w.bob.claim("r"), None);
}

#[test]
fn what_was_let_go_comes_before_what_follows_it() {
    let w = World::paired();
    for text in ["one", "two", "three"] {
        w.alice.send(text).unwrap();
    }
    w.settle();
    let (one, _) = w.bob.claim("p").unwrap();
    let (two, _) = w.bob.claim("p").unwrap();
    w.bob.write(|b| b.release(one)).unwrap();
    assert_eq!(w.bob.claim("q").unwrap().1, "one");
    assert_eq!(w.bob.claim("q"), None, "p still has the second");
    w.bob.close(two, Inward::Processed);
    assert_eq!(w.bob.claim("q").unwrap().1, "three");
}

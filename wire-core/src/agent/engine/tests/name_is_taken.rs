use super::harness::{Side, Wish, World, pair};
use crate::agent::error::Error;

#[test]
fn a_wish_is_refused_and_a_stranger_gets_a_number() {
    let w = World::paired();
    let wish = |name| Wish { name: Some(name), ..Wish::default() };
    let other_bob = Side::new("bob");
    let taken = pair((&w.alice, wish("bob")), (&other_bob, Wish::default()));
    assert!(matches!(taken, Err(Error::NameTaken { .. })));
    pair((&w.alice, Wish::default()), (&other_bob, Wish::default())).unwrap();
    let names = || -> Vec<String> { w.alice.read(|b| b.list_peers()).into_iter().map(|p| p.name).collect() };
    assert_eq!(names(), ["bob", "bob-2"]);
    for bad in ["", "Bob", "-bob", ".bob", "b b", "a".repeat(33).as_str()] {
        let refused = pair((&w.alice, wish(bad)), (&Side::new("eve"), Wish::default()));
        assert!(matches!(refused, Err(Error::Usage(_))), "{bad}");
    }
    assert_eq!(names(), ["bob", "bob-2"]);
}

#[test]
fn it_is_free_again_after_a_revocation() {
    let w = World::paired();
    w.alice.write(|b| b.retire(w.alice.key(), crate::agent::engine::Stage::Revoked)).unwrap();
    let other = Side::new("bob");
    pair((&w.alice, Wish { name: Some("bob"), ..Wish::default() }), (&other, Wish::default())).unwrap();
    assert_eq!(w.alice.read(|b| b.find_peer("bob")).key, w.alice.key());
}

use super::harness::World;
use crate::agent::error::Error;
use crate::agent::state::Delivery;

#[test]
fn status_brings_them_again() {
    let w = World::paired();
    let id = w.alice.send("one").unwrap();
    w.bob.take(&w.alice.post());
    w.bob.drain();
    drop(w.bob.post());
    // The waits double: 1, 2, 4 minutes, and every STATUS is lost.
    for minutes in [1, 2, 4] {
        w.wait(minutes * 60_000 - 1);
        w.alice.tick();
        assert!(w.alice.post().is_empty());
        w.wait(1);
        w.alice.tick();
        assert_eq!(w.alice.post().len(), 1);
    }
    w.wait(8 * 60_000);
    w.alice.tick();
    w.bob.take(&w.alice.post());
    assert_eq!(w.alice.delivery(&id), Delivery::Relayed);
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.delivery(&id), Delivery::Processed);
    w.wait(48 * 3_600_000);
    w.alice.tick();
    assert!(w.alice.post().is_empty());
}

#[test]
fn status_that_says_nothing_new_is_the_same_bytes() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    drop(w.alice.post());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        w.wait(24 * 3_600_000);
        w.alice.tick();
        let post = w.alice.post();
        seen.insert(post.last().unwrap().clone());
    }
    assert_eq!(seen.len(), 1);
}

/// The relay drops everything in one direction, three times 700 records long, and then heals. Bob's
/// chain must not be used up by acknowledgements that never arrive.
#[test]
fn one_way_for_a_long_time_and_then_healed_everything_arrives() {
    let w = World::paired();
    let mut sent = Vec::new();
    let mut heard = Vec::new();
    let mut refused = 0;
    for round in 0..3 {
        for i in 0..700 {
            let text = format!("{round}.{i}");
            match w.alice.send(&text) {
                Ok(_) => sent.push(text),
                Err(Error::Backpressure { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        for page in w.alice.post().chunks(64) {
            w.bob.take(page);
        }
        heard.extend(w.bob.drain());
        drop(w.bob.post());
        w.wait(3_600_000);
        w.alice.tick();
        w.bob.take(&w.alice.post());
        drop(w.bob.post());
    }
    assert_eq!((sent.len(), refused), (1_024, 1_076), "the window, and what was told at once");
    assert_eq!(heard, sent);
    w.wait(24 * 3_600_000);
    w.alice.tick();
    w.settle();
    w.alice.send("after").unwrap();
    w.bob.send("me too").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["after"]);
    assert_eq!(w.alice.drain(), ["me too"]);
}

/// Acknowledgements are lost until the receiver's chain has no room for another; one of them, posted
/// again, gets both going.
#[test]
fn up_to_the_end_of_the_chain_and_then_healed_everything_is_acknowledged() {
    use crate::session::Lane;
    let w = World::paired();
    let id = w.alice.send("one").unwrap();
    w.bob.take(&w.alice.post());
    // As many acknowledgements as the chain takes, all of them lost.
    w.bob.tamper(|_, p| {
        while p.session().unwrap().room(Lane::Ordinary) > 1 {
            p.session().unwrap().seal(Lane::Ordinary, b"lost", 512, &mut crate::tests_rng::rng()).unwrap();
        }
    });
    w.bob.drain();
    drop(w.bob.post());
    assert!(matches!(w.bob.send("no room"), Err(Error::Backpressure { .. })));
    for _ in 0..5 {
        w.wait(24 * 3_600_000);
        w.alice.tick();
        w.settle();
    }
    assert_eq!(w.alice.delivery(&id), Delivery::Processed);
    w.bob.send("room again").unwrap();
    w.settle();
    assert_eq!(w.alice.drain(), ["room again"]);
}

#[test]
fn the_word_that_all_is_processed_is_asked_for_too() {
    let w = World::paired();
    let id = w.alice.send("done?").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["done?"]);
    drop(w.bob.post());
    assert_eq!(w.alice.delivery(&id), Delivery::Received);
    w.wait(59 * 60_000);
    w.alice.tick();
    assert!(w.alice.post().is_empty(), "not before an hour is over");
    w.wait(60_000);
    w.alice.tick();
    w.settle();
    assert_eq!(w.alice.delivery(&id), Delivery::Processed);
    w.wait(48 * 3_600_000);
    w.alice.tick();
    assert!(w.alice.post().is_empty(), "and then there is nothing to ask");
    // What is new is asked about after a minute again.
    w.alice.send("one more").unwrap();
    drop(w.alice.post());
    w.wait(60_000);
    w.alice.tick();
    assert_eq!(w.alice.post().len(), 1);
}

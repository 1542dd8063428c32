use std::collections::BTreeSet;

use super::harness::World;
use crate::agent::engine::Stage;

/// Nonces and headers stand in front of what is sealed: the same pair twice over two contents would
/// be a key used twice.
fn nonces<'a>(envelopes: impl IntoIterator<Item = &'a Vec<u8>>) -> BTreeSet<&'a [u8]> {
    envelopes.into_iter().map(|e| &e[2..26]).collect()
}

#[test]
fn the_peer_notices_by_what_the_copy_says() {
    let mut w = World::paired();
    let copy = w.alice.backup();
    for i in 0..3 {
        w.alice.send(&i.to_string()).unwrap();
    }
    let before = w.alice.post();
    w.bob.take(&before);
    drop(w.bob.post());
    w.alice.restore(&copy);
    for i in 0..3 {
        w.alice.send(&format!("other {i}")).unwrap();
    }
    let after = w.alice.post();
    assert_eq!(nonces(before.iter().chain(&after)).len(), before.len() + after.len());
    w.bob.take(&after);
    assert_eq!(w.bob.stage(), Stage::Frozen);
    assert_eq!(w.bob.value::<String>("SELECT what FROM evidence"), "clone");
    assert_eq!(w.bob.drain(), ["0", "1", "2"]);
}

#[test]
fn the_owner_notices_by_what_the_peer_acknowledges() {
    let mut w = World::paired();
    let copy = w.alice.backup();
    w.alice.send("forgotten").unwrap();
    w.bob.take(&w.alice.post());
    let acks = w.bob.post();
    w.alice.restore(&copy);
    w.alice.take(&acks);
    assert_eq!(w.alice.stage(), Stage::Frozen);
    assert_eq!(w.alice.value::<String>("SELECT what FROM evidence"), "foreign acknowledgement");
}

#[test]
fn what_was_received_since_then_is_received_again_and_nothing_is_lost() {
    let mut w = World::paired();
    let copy = w.bob.backup();
    w.alice.send("one").unwrap();
    let envelopes = w.alice.post();
    w.bob.take(&envelopes);
    // The acknowledgement never left, so nobody but Bob knows.
    w.bob.restore(&copy);
    w.bob.take(&envelopes);
    w.settle();
    assert_eq!(w.bob.drain(), ["one"]);
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Paired, Stage::Paired));
}

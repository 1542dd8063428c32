//! A body over the limit is refused before anything is queued.

use crate::support::World;

#[test]
fn a_body_over_the_limit_is_refused_and_nothing_is_queued() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let largest = "x".repeat(48 << 10);
    alice.run_with(&["send", "bob"], &largest).ok();
    let said = alice.run_with(&["send", "bob", "-"], &(largest.clone() + "x")).failed(7);
    assert!(said.contains("49153 bytes is larger than 49152"), "{said}");
    assert_eq!(bob.texts(), [largest]);
}

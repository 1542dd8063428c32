//! One side ends the pairing; the other is told by what it tries next.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::World;

#[test]
fn a_revoked_peer_gets_a_typed_answer() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.run(&["revoke", "bob"]).ok();
    for (side, peer) in [(&alice, "bob"), (&bob, "alice"), (&bob, "alice")] {
        let (answer, exit) = side.json(&["send", peer, "hello?"]);
        assert_eq!((answer["error"]["code"].as_str(), exit), (Some("revoked"), 4), "{answer}");
        assert_eq!(answer["error"]["hint"], "pair again: wire pair");
    }
    assert!(alice.texts().is_empty());
    assert_eq!(alice.json(&["peers", "show", "bob"]).0["state"], "revoked");
    // Pairing again is a new pairing, under the old name.
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    bob.run_with(&["join"], &code).ok();
    assert_eq!(pairing.json()["name"], "bob");
    bob.send("alice", "hello again");
    assert_eq!(alice.texts(), ["hello again"]);
}

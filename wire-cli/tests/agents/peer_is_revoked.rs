//! One side ends the pairing. What is queued on either side gets a final state then, and whoever waits
//! for it is told.

use crate::support::{Side, World};
use serde_json::Value;

/// Queued while the relay is out of reach.
fn queue(side: &Side, to: &str, text: &str) -> String {
    let (sent, exit) = side.json(&["send", to, text]);
    assert_eq!((sent["state"].as_str(), exit), (Some("queued"), 5), "{sent}");
    sent["id"].as_str().unwrap().to_owned()
}

fn assert_given_up(doc: &Value, message: &str, hint: &str) {
    assert_eq!(doc["state"], "revoked", "{doc}");
    assert_eq!(doc["why"]["code"], "revoked", "{doc}");
    assert_eq!(doc["why"]["message"], message, "{doc}");
    assert!(doc["why"]["hint"].as_str().unwrap().contains(hint), "{doc}");
    assert_eq!(doc["next"], Value::Null, "{doc}");
}

#[test]
fn a_revoked_peer_gets_a_typed_answer() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.run(&["revoke", "bob"]).ok();
    for (side, peer, message) in [
        (&alice, "bob", "bob was revoked"),
        (&bob, "alice", "alice has ended the pairing"),
        (&bob, "alice", "alice has ended the pairing"),
    ] {
        let (answer, exit) = side.json(&["send", peer, "hello?"]);
        assert_eq!((answer["error"]["code"].as_str(), exit), (Some("revoked"), 4), "{answer}");
        assert_eq!(answer["error"]["message"], message);
        assert_eq!(answer["error"]["hint"], "pair again: wire pair");
    }
    let (answer, exit) = bob.json(&["ask", "alice", "hello?"]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("revoked"), 4), "{answer}");
    assert!(alice.texts().is_empty());
    assert_eq!(alice.json(&["peers", "show", "bob"]).0["state"], "revoked");
    // Pairing again is a new pairing, under the old name.
    pair_again(&alice, &bob);
    bob.send("alice", "hello again");
    assert_eq!(alice.texts(), ["hello again"]);
}

fn pair_again(alice: &Side, bob: &Side) {
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    bob.run_with(&["join"], &code).ok();
    assert_eq!(pairing.json()["name"], "bob");
    pairing.end().ok();
}

#[test]
fn what_is_queued_for_who_has_revoked_us_is_given_up_and_whoever_waits_is_told() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let relayed = bob.send("alice", "in time");
    world.kill_relay();
    let queued = [queue(&bob, "alice", "too late"), queue(&bob, "alice", "this too")];
    world.start_relay();
    alice.run(&["revoke", "bob"]).ok();
    // Of several processes that wait, one is told by the relay, and the others by the store.
    let waiting = [0, 1, 1].map(|i: usize| bob.start(&["--json", "status", &queued[i], "--wait"]));
    let asking = bob.start(&["--json", "ask", "alice", "?", "--wait", "1h"]);
    for waiting in waiting {
        let done = waiting.end();
        assert_eq!(done.code, 4, "{done:?}");
        let doc = serde_json::from_str(&done.stdout).unwrap();
        assert_given_up(&doc, "alice has ended the pairing", "wire pair");
    }
    assert_eq!(asking.end().code, 4);

    let (peers, _) = bob.json(&["peers"]);
    let peer = &peers["peers"][0];
    assert_eq!((peer["state"].as_str(), peer["queued"].as_u64()), (Some("ended"), Some(0)), "{peers}");
    assert_eq!((&peer["refused"], &peer["why"]["code"]), (&"old_epoch".into(), &"revoked".into()), "{peers}");
    let (status, _) = bob.json(&["status"]);
    assert_eq!(status["ended"][0]["peer"], "alice", "{status}");
    assert_eq!(status["ended"][0]["code"], "revoked", "{status}");
    assert_eq!(status["queued"], 0, "{status}");
    assert!(bob.run(&["status"]).ok().stdout.contains("alice has ended the pairing"));
    assert!(bob.run(&["peers"]).ok().stdout.contains("alice has ended the pairing"));
    // It may have been fetched before the end.
    let (status, exit) = bob.json(&["status", &relayed]);
    assert!(["relayed", "received"].map(Some).contains(&status["state"].as_str()), "{status}");
    assert_eq!(exit, 0);
    // All that she had said is read, and there will be no more.
    let (status, exit) = bob.json(&["status", &relayed, "--wait"]);
    assert!(["relayed", "received"].map(Some).contains(&status["state"].as_str()), "{status}");
    assert_eq!((status["why"]["code"].as_str(), exit), (Some("revoked"), 4), "{status}");

    pair_again(&alice, &bob);
    for id in &queued {
        let (status, exit) = bob.json(&["status", id, "--wait"]);
        assert_given_up(&status, "a later pairing with alice took the place of this one", "send it again");
        assert_eq!(exit, 4);
        assert_eq!(bob.json(&["status", id]).1, 0);
    }
    assert_eq!(bob.json(&["status"]).0["ended"], Value::Array(Vec::new()));
    bob.send("alice", "hello again");
    assert_eq!(alice.texts(), ["hello again"]);
}

#[test]
fn what_is_queued_for_whom_we_revoke_is_given_up_and_whoever_waits_is_told() {
    let mut world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let relayed = alice.send("bob", "in time");
    world.kill_relay();
    let queued = queue(&alice, "bob", "changed my mind");
    let waiting = alice.start(&["--json", "status", &queued, "--wait"]);
    let asking = alice.start(&["--json", "ask", "bob", "?", "--wait", "1h"]);
    alice.run(&["revoke", "bob"]).ok();
    let done = waiting.end();
    assert_eq!(done.code, 4, "{done:?}");
    assert_given_up(&serde_json::from_str(&done.stdout).unwrap(), "bob was revoked", "wire pair");
    assert_eq!(asking.end().code, 4);
    // What the peer signs of it is not taken any more.
    let (status, exit) = alice.json(&["status", &relayed, "--wait"]);
    assert_eq!((status["state"].as_str(), exit), (Some("relayed"), 4), "{status}");
    assert_eq!(status["why"]["code"], "revoked", "{status}");
    let said = alice.run(&["status", &queued]).ok();
    assert!(said.stdout.contains("revoked (bob was revoked)"), "{said:?}");
}

//! `wire peers reset`: a store that was rolled back talks again, by both owners.

use std::path::Path;

use serde_json::Value;

use crate::support::{Side, World};

/// With their rights: a store that others could read is refused.
fn copy_tree(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.unwrap().success());
}

fn reset(side: &Side, peer: &str, more: &[&str]) -> (Value, i32) {
    side.json(&[&["peers", "reset", peer], more].concat())
}

fn show(side: &Side, peer: &str) -> Value {
    side.json(&["peers", "show", peer]).0
}

/// What this side's owner reads out.
fn words(doc: &Value) -> String {
    assert_eq!(doc["reset"]["state"], "awaits_words", "{doc}");
    doc["reset"]["words"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_is_lost_and_nothing_doubled() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.send("bob", "before the copy");
    bob.run(&["inbox", "--ack", "all"]).ok();
    alice.run(&["inbox"]).ok();
    let copy = world.folder.path().join("copy");
    copy_tree(&alice.home, &copy);
    alice.send("bob", "processed");
    bob.run(&["inbox", "--ack", "all"]).ok();
    let open = bob.send("alice", "received, and forgotten");
    assert_eq!(alice.texts(), ["received, and forgotten"]);
    bob.run(&["inbox"]).ok();

    std::fs::remove_dir_all(&alice.home).unwrap();
    copy_tree(&copy, &alice.home);
    let anew = alice.json(&["send", "bob", "said anew"]).0["id"].as_str().unwrap().to_owned();
    let (status, _) = bob.json(&["status"]);
    assert_eq!(status["alarms"][0]["code"], "session_frozen", "{status}");
    let (refused, exit) = bob.json(&["send", "alice", "no"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("session_frozen"), 1), "{refused}");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("wire peers reset"), "{refused}");

    // Bob's owner hears of it by each way, and nothing has happened yet.
    let mut watch = bob.start(&["--json", "watch"]);
    watch.says("watching as bob");
    let (asked, exit) = reset(&alice, "bob", &[]);
    assert_eq!((asked["reset"]["state"].as_str(), exit), (Some("asked"), 0), "{asked}");
    let event = loop {
        let event = watch.json();
        if event["event"] == "reset" {
            break event;
        }
    };
    assert_eq!(
        (event["peer"].as_str(), event["reset"]["state"].as_str()),
        (Some("alice"), Some("requested"))
    );
    drop(watch);
    let (status, _) = bob.json(&["status"]);
    assert_eq!(status["resets"][0]["reset"]["state"], "requested", "{status}");
    let said = bob.run(&["peers"]).ok();
    assert!(said.stdout.contains("asks for a new session: wire peers reset alice"), "{said:?}");
    assert_eq!(show(&bob, "alice")["state"], "frozen");

    // The own words instead of the other's: nobody has compared anything.
    let b = words(&reset(&bob, "alice", &[]).0);
    let a = words(&show(&alice, "bob"));
    let (refused, exit) = reset(&alice, "bob", &["--words", &a]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("wrong_words"), 4), "{refused}");
    let said = alice.run(&["status"]).ok();
    assert!(said.stdout.contains("ALARM: bob: the words of a reset differed"), "{said:?}");
    let (refused, exit) = reset(&alice, "bob", &["--words", &b]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("usage"), 2), "{refused}");

    // Once more, and the owners read out and type.
    assert_eq!(reset(&alice, "bob", &[]).0["reset"]["state"], "asked");
    let b = words(&reset(&bob, "alice", &[]).0);
    let a = words(&show(&alice, "bob"));
    assert_eq!(b.split(' ').count(), 8);
    let confirmed = reset(&alice, "bob", &["--words", &b]).0;
    assert_eq!(confirmed["reset"]["state"], "confirmed", "{confirmed}");
    let said = bob.run(&["peers", "reset", "alice", "--words", &a.to_uppercase().replace(' ', "-")]).ok();
    assert!(said.stdout.contains("✓ a new session with alice"), "{said:?}");
    alice.run(&["inbox"]).ok();

    assert_eq!(bob.texts(), ["said anew"]);
    assert_eq!(alice.texts(), ["received, and forgotten"]);
    for side in [&alice, &bob] {
        side.run(&["inbox", "--ack", "all"]).ok();
    }
    assert_eq!((alice.outcome(&anew), bob.outcome(&open)), ("processed".to_owned(), "processed".to_owned()));
    for (side, peer) in [(&alice, "bob"), (&bob, "alice")] {
        let (peers, _) = side.json(&["peers"]);
        assert_eq!(peers["peers"].as_array().unwrap().len(), 1, "{peers}");
        assert_eq!(
            (show(side, peer)["state"].as_str(), &show(side, peer)["reset"]),
            (Some("paired"), &Value::Null)
        );
        side.run(&["peers", "log", "verify", peer]).ok();
        side.run(&["peers", "log", "verify", peer, "--back", "1"]).ok();
        side.run(&["peers", "log", "verify", peer, "--back", "2"]).failed(2);
    }
    let lost = show(&bob, "alice")["lost"].clone();
    assert_eq!(lost, serde_json::json!([2, 2]), "the forgotten one, behind HELLO");
    alice.send("bob", "in the new session");
    assert_eq!(bob.texts(), ["in the new session"]);
}

#[test]
fn what_is_asked_for_can_be_taken_back() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    reset(&alice, "bob", &[]);
    let (doc, exit) = reset(&alice, "bob", &["--cancel"]);
    assert_eq!((&doc["reset"], exit), (&Value::Null, 0), "{doc}");
    let (doc, _) = reset(&bob, "alice", &["--cancel"]);
    assert_eq!((&doc["reset"], doc["state"].as_str()), (&Value::Null, Some("paired")), "{doc}");
    alice.send("bob", "as before");
    assert_eq!(bob.texts(), ["as before"]);
    let (refused, exit) = reset(&alice, "carol", &[]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("not_paired"), 4), "{refused}");
}

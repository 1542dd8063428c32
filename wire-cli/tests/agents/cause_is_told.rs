//! What keeps a message or an inbox waiting is told, with what to do, and is tried anew by each command.

use std::fs;

use crate::support::{Side, World};
use serde_json::Value;

/// Another relay takes the place of the world's, or gives it back.
fn swap_relay(world: &mut World) {
    world.kill_relay();
    let (here, there) = (world.folder.path().join("relay"), world.folder.path().join("other-relay"));
    let aside = world.folder.path().join("aside");
    fs::rename(&here, &aside).unwrap();
    if there.exists() {
        fs::rename(&there, &here).unwrap();
    }
    fs::rename(&aside, &there).unwrap();
    world.start_relay();
}

fn why(doc: &Value) -> (&str, &str, &str, bool) {
    let why = &doc["why"];
    let text = |key: &str| why[key].as_str().unwrap_or_else(|| panic!("{key}: {doc}"));
    (text("code"), text("message"), text("hint"), why["retryable"].as_bool().unwrap())
}

fn peer_why(side: &Side) -> String {
    let (peers, _) = side.json(&["peers"]);
    peers["peers"][0]["why"]["code"].as_str().unwrap_or_else(|| panic!("{peers}")).to_owned()
}

#[test]
fn another_relay_is_told_and_the_right_one_is_tried_at_once() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    swap_relay(&mut world);
    for _ in 0..2 {
        let (sent, exit) = alice.json(&["send", "bob", "not for the other one"]);
        assert_eq!((sent["state"].as_str(), exit), (Some("queued"), 5), "{sent}");
        let (code, message, hint, retryable) = why(&sent);
        assert_eq!((code, retryable), ("relay_mismatch", false), "{sent}");
        assert!(message.contains("its key has changed"), "{sent}");
        assert!(hint.contains("ask its operator"), "{sent}");
    }
    let said = alice.run(&["send", "bob", "nor this"]);
    assert!(said.stdout.contains("its key has changed"), "{said:?}");
    assert!(said.stdout.contains("ask its operator"), "{said:?}");
    let (status, _) = alice.json(&["status"]);
    assert_eq!(why(&status).0, "relay_mismatch", "{status}");
    assert_eq!(why(&status["open"][0]).0, "relay_mismatch", "{status}");
    assert_eq!(peer_why(&alice), "relay_mismatch");
    let (inbox, exit) = bob.json(&["inbox"]);
    assert_eq!((inbox["fetched"].as_bool(), exit), (Some(false), 5), "{inbox}");
    assert_eq!(why(&inbox).0, "relay_mismatch", "{inbox}");

    swap_relay(&mut world);
    alice.send("bob", "the right one is back");
    assert_eq!(bob.texts().len(), 4);
    let (status, _) = alice.json(&["status"]);
    assert!(status["why"].is_null(), "{status}");
    let (peers, _) = alice.json(&["peers"]);
    assert!(peers["peers"][0]["why"].is_null(), "{peers}");
}

#[test]
fn a_refusal_is_told_and_an_old_one_keeps_nothing_back() {
    let mut world = World::with_relay("[limits]\nmax_pending_bytes = 3000");
    let (alice, bob) = world.paired("alice", "bob");
    let large = "x".repeat(3_000);
    for _ in 0..2 {
        let (sent, exit) = alice.json(&["send", "bob", &large]);
        assert_eq!((sent["state"].as_str(), exit), (Some("queued"), 5), "{sent}");
        assert_eq!(why(&sent).0, "quota", "{sent}");
        assert!(!why(&sent).2.is_empty(), "{sent}");
    }
    let said = alice.run(&["send", "bob", &large]);
    assert!(said.stdout.contains("queued (over the quota)"), "{said:?}");
    assert_eq!(peer_why(&alice), "quota");
    let (status, _) = alice.json(&["status"]);
    let id = status["open"][0]["id"].as_str().unwrap();
    let (one, _) = alice.json(&["status", id]);
    assert_eq!(why(&one).0, "quota", "{one}");

    // What was refused before is no reason not to wait for today's answer.
    world.kill_relay();
    fs::write(world.folder.path().join("relay.toml"), "").unwrap();
    world.start_relay();
    alice.send("bob", "there is room now");
    assert_eq!(bob.texts().len(), 4);
}

#[test]
fn an_inbox_that_was_not_fetched_says_so() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.send("bob", "here before");
    let (inbox, exit) = bob.json(&["inbox"]);
    assert_eq!((inbox["fetched"].as_bool(), inbox["why"].is_null(), exit), (Some(true), true, 0), "{inbox}");
    world.kill_relay();
    let (inbox, exit) = bob.json(&["inbox"]);
    assert_eq!((inbox["fetched"].as_bool(), exit), (Some(false), 5), "{inbox}");
    assert_eq!((why(&inbox).0, why(&inbox).3), ("relay_unreachable", true), "{inbox}");
    assert_eq!(inbox["messages"][0]["text"], "here before");
    let id = inbox["messages"][0]["id"].as_str().unwrap();
    let said = bob.run(&["inbox"]);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.stderr.contains("this is what was fetched before"), "{said:?}");
    // A message that is here needs no relay.
    bob.run(&["inbox", "--ack", id]).ok();
    let said = bob.run(&["inbox"]);
    assert!(!said.stdout.contains("nothing waits"), "{said:?}");
}

#[test]
fn a_frozen_peer_is_told_by_every_view() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let copy = world.side("copy");
    copy_tree(&alice.home, &copy.home);
    alice.send("bob", "one history");
    // Before bob has acknowledged the one: a copy that hears of that freezes itself.
    let mut twin = copy.command();
    twin.env("WIRE_AS", "alice").args(["send", "bob", "another history"]);
    crate::support::Running::start(twin).end().ok();
    assert_eq!(bob.texts(), ["one history"]);
    for command in ["inbox", "status"] {
        let (doc, exit) = bob.json(&[command]);
        assert_eq!(exit, 0, "{doc}");
        let alarm = &doc["alarms"][0];
        assert_eq!((alarm["code"].as_str(), alarm["peer"].as_str()), (Some("session_frozen"), Some("alice")));
        assert!(alarm["hint"].as_str().unwrap().contains("copied or restored"), "{doc}");
        let said = bob.run(&[command]).ok();
        assert!(said.stdout.contains("ALARM: the session with alice is frozen"), "{said:?}");
    }
    let mut watching = bob.start(&["--json", "watch"]);
    let event = loop {
        let event = watching.json();
        // The message, which nobody has processed, comes before or behind it.
        if event["text"].is_null() {
            break event;
        }
    };
    let found = (event["event"].as_str(), event["peer"].as_str(), event["why"]["code"].as_str());
    assert_eq!(found, (Some("frozen"), Some("alice"), Some("session_frozen")), "{event}");
    watching.says("ALARM: the session with alice is frozen");
}

/// Also to who has no reason to look: it waits for messages, and sends none.
#[test]
fn who_watches_is_told_that_a_session_froze_or_a_pairing_ended() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let copy = world.side("copy");
    copy_tree(&alice.home, &copy.home);
    let mut watching = bob.start(&["--json", "watch"]);
    alice.send("bob", "one history");
    assert_eq!(watching.message()["text"], "one history");
    let mut twin = copy.command();
    twin.env("WIRE_AS", "alice").args(["send", "bob", "another history"]);
    crate::support::Running::start(twin).end();
    assert_eq!(watching.message()["event"], "frozen");
    watching.says("\n  next: find out whether");

    let carol = world.side("carol");
    let mut pairing = carol.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    bob.run_with(&["join", "-"], &code).ok();
    pairing.end().ok();
    carol.run(&["revoke", "bob"]).ok();
    bob.run(&["send", "carol", "are you there?"]).failed(4);
    let event = watching.message();
    assert_eq!((event["event"].as_str(), event["peer"].as_str()), (Some("ended"), Some("carol")), "{event}");
    watching.says("carol has ended");
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    // With their rights: a store that others could read is refused.
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.unwrap().success());
}

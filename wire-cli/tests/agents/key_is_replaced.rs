//! `wire identity rotate`: the name and the pairings stay, by another key.

use crate::support::World;

#[test]
fn a_new_key_is_told_and_messages_go_on() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let agent = alice.home.join("agents/alice");
    let (before, _) = alice.json(&["identity", "show"]);
    assert_eq!((before["rotations"].as_u64(), before["next_key_here"].as_bool()), (Some(0), Some(true)));
    let file = std::fs::read(agent.join("next.key")).unwrap();

    let (after, exit) = alice.json(&["identity", "rotate"]);
    assert_eq!((after["rotations"].as_u64(), exit), (Some(1), 0), "{after}");
    assert_eq!(after["root"], before["root"]);
    assert_ne!(after["key"], before["key"]);
    assert_ne!(std::fs::read(agent.join("next.key")).unwrap(), file);
    assert!(!agent.join("next.key.new").exists());

    // Not a second time before the peer has heard of the first.
    let (refused, exit) = alice.json(&["identity", "rotate"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("refused"), 6), "{refused}");
    let (sent, exit) = alice.json(&["send", "bob", "by the new key"]);
    assert_eq!((sent["state"].as_str(), exit), (Some("queued"), 5), "{sent}");
    assert_eq!(sent["why"]["code"], "new_key_unheard", "{sent}");
    let id = sent["id"].as_str().unwrap().to_owned();
    assert!(bob.texts().is_empty(), "it waits until bob has acknowledged the key");
    assert_eq!(bob.json(&["peers", "show", "alice"]).0["rotations"], 1);
    // Alice hears that, and posts what has waited for it.
    alice.run(&["inbox"]).ok();
    assert_eq!(alice.json(&["status", &id]).0["state"], "relayed");
    assert_eq!(bob.texts(), ["by the new key"]);
    assert_eq!(alice.json(&["identity", "show"]).0["waiting"].as_array().unwrap().len(), 0);
    alice.run(&["peers", "log", "verify", "bob"]).ok();
    bob.run(&["peers", "log", "verify", "alice"]).ok();

    // The next key was taken elsewhere: nobody who has the store alone rotates it.
    std::fs::rename(agent.join("next.key"), world.folder.path().join("elsewhere")).unwrap();
    let (refused, exit) = alice.json(&["identity", "rotate"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("no_next_key"), 1), "{refused}");
    // Neither does another's.
    std::fs::copy(world.folder.path().join("elsewhere"), agent.join("next.key")).unwrap();
    std::fs::write(agent.join("next.key"), [7; 32]).unwrap();
    let (refused, exit) = alice.json(&["identity", "rotate"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("no_next_key"), 1), "{refused}");
    std::fs::rename(world.folder.path().join("elsewhere"), agent.join("next.key")).unwrap();
    // Who watches is told.
    let mut watching = bob.start(&["--json", "watch"]);
    assert_eq!(watching.json()["text"], "by the new key", "it watches");
    assert_eq!(alice.json(&["identity", "rotate"]).0["rotations"], 2);
    let told = watching.json();
    assert_eq!((told["event"].as_str(), told["peer"].as_str()), (Some("rotated"), Some("alice")), "{told}");
    assert!(told["at"].is_u64(), "{told}");
}

//! The relay is killed with `kill -9` after it took messages and before they were fetched.

use crate::support::World;

#[test]
fn what_the_relay_took_survives_its_death() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let before = alice.send("bob", "before");
    world.kill_relay();
    let (queued, code) = alice.json(&["send", "bob", "meanwhile"]);
    assert_eq!((queued["state"].as_str(), code), (Some("queued"), 5));
    // What cannot be asked is not made up.
    assert_eq!(alice.json(&["status", &before]).0["state"], "relayed");
    world.start_relay();
    alice.send("bob", "after");
    assert_eq!(bob.texts(), ["before", "meanwhile", "after"]);
    bob.run(&["inbox", "--ack", "all"]).ok();
    assert_eq!(alice.outcome(queued["id"].as_str().unwrap()), "processed");
}

#[test]
fn watching_survives_it() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let mut watching = bob.start(&["--json", "watch"]);
    alice.send("bob", "before");
    assert_eq!(watching.json()["text"], "before");
    world.kill_relay();
    let lost = watching.json();
    assert_eq!(lost["trouble"]["code"], "relay_unreachable", "{lost}");
    assert!(lost["trouble"]["hint"].is_string() && lost.get("id").is_none(), "{lost}");
    world.start_relay();
    alice.send("bob", "after");
    // Either may be first: the end of the trouble, or what comes with it.
    let rest = [watching.json(), watching.json()];
    assert!(rest.iter().any(|doc| doc["text"] == "after"), "{rest:?}");
    assert!(rest.contains(&serde_json::json!({"v": 1, "trouble": null})), "{rest:?}");
}

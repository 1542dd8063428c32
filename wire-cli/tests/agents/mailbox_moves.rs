//! `wire peers move`: a peer posts to another relay from then on, and the first one may go.

use crate::support::World;

#[test]
fn messages_go_on_at_the_other_relay_when_the_first_one_is_gone() {
    let mut world = World::new();
    let other = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let url = format!("http://{}", other.address);
    bob.run(&["send", "alice", "before"]).ok();

    let (moved, exit) = alice.json(&["peers", "move", "bob", "--relay", &url]);
    assert_eq!((moved["moved"][0].as_str(), exit), (Some("bob"), 0), "{moved}");
    let (peer, _) = alice.json(&["peers", "show", "bob"]);
    assert_eq!((peer["own_relay"].as_str(), peer["moving"].as_bool()), (Some(url.as_str()), Some(true)));
    let (refused, exit) = alice.json(&["peers", "move", "bob", "--relay", "http://127.0.0.1:9"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("refused"), 6), "{refused}");
    bob.run(&["inbox"]).ok();
    assert_eq!(bob.json(&["peers", "show", "alice"]).0["relay"], url.as_str());
    // Alice reads both, and what was posted to either is there.
    bob.run(&["send", "alice", "after"]).ok();
    assert_eq!(alice.texts(), ["before", "after"]);
    assert_eq!(alice.json(&["peers", "show", "bob"]).0["moving"], false);

    // Bob moves as well, all that he has; then nobody needs the first relay.
    let (moved, exit) = bob.json(&["peers", "move", "--all", "--relay", &url]);
    assert_eq!((moved["moved"][0].as_str(), exit), (Some("alice"), 0), "{moved}");
    alice.run(&["inbox"]).ok();
    bob.run(&["inbox"]).ok();
    let (moved, exit) = bob.json(&["peers", "move", "--all", "--relay", &url]);
    assert_eq!((moved["moved"].as_array().unwrap().len(), exit), (0, 0), "{moved}");
    world.kill_relay();
    let at_other = |side: &crate::support::Side, args: &[&str]| {
        let mut command = side.command();
        command.env("WIRE_RELAY", &url).args(args);
        crate::support::Running::start(command).end().ok()
    };
    at_other(&alice, &["send", "bob", "over here"]);
    assert!(at_other(&bob, &["inbox"]).stdout.contains("over here"));
    at_other(&bob, &["send", "alice", "and back"]);
    assert!(at_other(&alice, &["inbox"]).stdout.contains("and back"));
    at_other(&alice, &["peers", "log", "verify", "bob"]);
    at_other(&bob, &["peers", "log", "verify", "alice"]);
}

#[test]
fn a_relay_that_does_not_answer_changes_nothing() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let (refused, exit) = alice.json(&["peers", "move", "bob", "--relay", "http://127.0.0.1:9"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("relay_unreachable"), 5), "{refused}");
    let (moved, exit) = alice.json(&["peers", "move", "--all", "--relay", "http://127.0.0.1:9"]);
    assert_eq!((moved["failed"][0]["peer"].as_str(), exit), (Some("bob"), 5), "{moved}");
    assert_eq!(alice.json(&["peers", "show", "bob"]).0["moving"], false);
    alice.send("bob", "still here");
    assert_eq!(bob.texts(), ["still here"]);
    let (refused, exit) = alice.json(&["peers", "move", "bob", "--relay", "http://relay.example.org"]);
    assert_eq!((refused["error"]["code"].as_str(), exit), (Some("bad_config"), 2), "{refused}");
}

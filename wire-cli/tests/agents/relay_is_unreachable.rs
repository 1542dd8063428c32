//! Nobody answers at the relay's address.

use crate::support::World;

#[test]
fn a_message_is_kept_and_goes_out_when_the_relay_is_back() {
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    world.kill_relay();
    let said = alice.run(&["send", "bob", "later"]);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.stdout.contains("  queued (cannot reach 127.0.0.1:"), "{said:?}");
    assert!(said.stdout.contains("do not send it again"), "{said:?}");
    let (status, exit) = alice.json(&["status"]);
    assert_eq!((status["relay_state"].as_str(), exit), (Some("unreachable"), 0), "{status}");
    assert_eq!(status["queued"], 1);
    let id = status["open"][0]["id"].as_str().unwrap().to_owned();
    let waiting = alice.start(&["--json", "status", &id, "--wait"]);
    waiting.says("cannot reach 127.0.0.1:");

    world.start_relay();
    // Any command of the agent takes it along.
    let watching = alice.start(&["watch", "--quiet"]);
    assert_eq!(bob.start(&["--json", "watch"]).json()["text"], "later");
    bob.run(&["inbox", "--ack", "all"]).ok();
    assert_eq!(alice.outcome(&id), "processed");
    waiting.end().ok();
    watching.signal("INT");
    assert_eq!(watching.end().code, 130);
}

#[test]
fn pairing_and_joining_say_that_nobody_answers() {
    let mut world = World::new();
    let alice = world.side("alice");
    world.kill_relay();
    let code = format!("4821-canyon-velvet-oyster@{}", world.address);
    for args in [&["pair"][..], &["pair", "--invite"], &["join", &code]] {
        let said = alice.run(args).failed(5);
        assert!(said.contains("error: cannot reach 127.0.0.1:"), "{said}");
        assert!(
            said.contains("next: check the address (WIRE_RELAY), or start a relay: wire relay serve"),
            "{said}"
        );
    }
}

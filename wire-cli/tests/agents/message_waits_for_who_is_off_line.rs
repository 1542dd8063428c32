//! What is sent while the other side is off line arrives when it comes, once and in order.

use crate::support::World;

#[test]
fn a_message_waits_for_who_is_off_line() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let ids: Vec<String> = ["one", "two", "three"].map(|text| alice.send("bob", text)).into();
    // Nobody has read them, so nobody has said so.
    assert_eq!(alice.json(&["status", &ids[2]]).0["state"], "relayed");
    assert_eq!(bob.texts(), ["one", "two", "three"]);
    bob.run(&["inbox", "--ack", &ids[0]]).ok();
    assert_eq!(alice.outcome(&ids[0]), "processed");
    assert_eq!(alice.json(&["status", &ids[1]]).0["state"], "received");
    assert_eq!(bob.texts(), ["two", "three"]);
}

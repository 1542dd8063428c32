//! A clock that is put back while something waits: it does not wait until the old time comes again.

use crate::ground::{Clock, ran_elsewhere};
use crate::support::{Running, World};

#[test]
fn while_the_relay_is_away() {
    if ran_elsewhere("clock_is_put_back::while_the_relay_is_away") {
        return;
    }
    let mut world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let clock = Clock::of("bob");
    let (key, path) = clock.env();
    let mut watch = bob.command();
    watch.args(["--json", "watch"]).env(key, path);
    let mut watching = Running::start(watch);
    alice.send("bob", "one");
    assert_eq!(watching.message()["text"], "one");
    world.kill_relay();
    assert!(!watching.json()["trouble"].is_null());
    clock.is_off_by(-9 * 3600);
    world.start_relay();
    alice.send("bob", "two");
    assert_eq!(watching.message()["text"], "two");
}

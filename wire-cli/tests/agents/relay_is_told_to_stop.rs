//! SIGTERM and Ctrl-C end a relay in order, also while somebody is connected to it.

use crate::support::{Running, World, wire};

#[test]
fn a_relay_that_is_told_to_stop_ends_well() {
    for signal in ["TERM", "INT"] {
        let mut world = World::new();
        let (alice, bob) = world.paired("alice", "bob");
        let mut watching = alice.start(&["--json", "watch"]);
        bob.send("alice", "first");
        assert_eq!(watching.json()["text"], "first");
        let ended = world.stop_relay(signal);
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:?}");
        world.start_relay();
        bob.send("alice", "second");
        assert_eq!(watching.message()["text"], "second");
    }
}

#[test]
fn a_relay_that_lives_by_its_standard_input_ends_with_it() {
    let home = tempfile::tempdir().unwrap();
    let relay = |flags: &[&str]| {
        let mut command = wire(home.path());
        command.args(["--json", "relay", "serve", "--listen", "127.0.0.1:0"]).args(flags);
        let mut relay = Running::start(command);
        assert!(relay.json()["listening"].is_string());
        relay
    };
    assert_eq!(relay(&["--while-stdin"]).end().ok().stdout, "");
}

#[test]
fn a_second_relay_says_what_is_in_its_way() {
    let world = World::new();
    let relay = |listen: &str, data: &str| {
        let mut command = wire(world.folder.path());
        command.args(["relay", "serve", "--listen", listen, "--data"]).arg(world.folder.path().join(data));
        Running::start(command).end().failed(1)
    };
    let said = relay(&world.address, "other");
    assert!(said.contains(&format!("error: cannot listen on {}", world.address)), "{said}");
    assert!(said.contains("next: does a relay run already? or choose another: --listen"), "{said}");
    let said = relay("127.0.0.1:0", "relay");
    assert!(said.contains("is in use by another process"), "{said}");
}

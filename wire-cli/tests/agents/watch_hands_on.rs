//! `watch --exec`: exit 0 processes a message, anything else lets it come again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};

use crate::support::{HANG, World};

#[test]
fn a_command_that_fails_gets_the_message_again() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    // Fails the first time, and keeps what it got.
    let command = "cat >> got; test -e again || { touch again; exit 3; }";
    let mut wire = bob.command();
    wire.args(["--json", "watch", "--exec", command]).current_dir(&world.folder);
    let mut watching = crate::support::Running::start(wire);
    let id = alice.send("bob", "work");
    let first = watching.json();
    assert_eq!((first["state"].as_str(), first["exit"].as_i64()), (Some("released"), Some(3)), "{first}");
    let second = watching.json();
    assert_eq!((second["state"].as_str(), second["id"].as_str()), (Some("processed"), Some(id.as_str())));
    assert_eq!(alice.outcome(&id), "processed");
    let got = std::fs::read_to_string(world.folder.path().join("got")).unwrap();
    let texts = got.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(
        texts
            .map(|m| (m["text"].clone(), m["sender"].clone()))
            .eq([("work".into(), "alice".into()), ("work".into(), "alice".into())])
    );
}

#[test]
fn a_message_on_which_it_always_fails_is_put_aside_and_both_sides_see_it() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let mut watching = bob.start(&["--json", "watch", "--exec", "exit 3"]);
    let id = alice.send("bob", "work");
    let states: [String; 5] = std::array::from_fn(|_| watching.json()["state"].as_str().unwrap().to_owned());
    assert_eq!(states, ["released", "released", "released", "released", "poison"]);
    assert_eq!(alice.outcome(&id), "poison");
    watching.signal("INT");
    watching.end().failed(130);

    for _ in 0..2 {
        let (dead, exit) = bob.json(&["inbox", "--dead"]);
        assert_eq!((dead["messages"].as_array().unwrap().len(), exit), (1, 0), "{dead}");
        let message = &dead["messages"][0];
        let told = |key: &str| message[key].as_str().unwrap().to_owned();
        assert_eq!([told("id"), told("text"), told("state")], [&*id, "work", "poison"], "{dead}");
    }
    assert!(bob.texts().is_empty());
    let (peers, _) = bob.json(&["peers"]);
    let peer = &peers["peers"][0];
    assert_eq!((peer["poison"].as_u64(), peer["rejected"].as_u64()), (Some(1), Some(0)), "{peers}");
    assert_eq!(bob.json(&["status"]).0["poison"], 1);
    for (args, said) in [
        (&["peers"][..], "paired  1 poison"),
        (&["status"], "0 queued, 1 poison"),
        (&["inbox", "--dead"], "alice  now  work"),
    ] {
        let done = bob.run(args).ok();
        assert!(done.stdout.contains(said), "{done:?}");
    }
    // It can still be answered.
    bob.run(&["send", "--re", &id, "I cannot"]).ok();
    assert_eq!(alice.texts(), ["I cannot"]);
}

/// The message is handed out again, so nothing of its command may go on.
#[test]
fn a_watch_that_ends_takes_its_command_and_all_that_it_started_along() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let mut wire = bob.command();
    // Its end is the end of all that the command started, for all of it has the pipe open.
    let pipe = world.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let command = "exec 3> pipe; sleep 3600 & echo runs >&3; wait";
    wire.args(["watch", "--exec", command]).current_dir(&world.folder);
    let watching = crate::support::Running::start(wire);
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(File::open(pipe).unwrap()).lines();
        lines.map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    alice.send("bob", "work");
    assert_eq!(lines.recv_timeout(HANG).unwrap(), "runs");
    watching.signal("TERM");
    watching.end().failed(143);
    assert_eq!(lines.recv_timeout(HANG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(bob.texts(), ["work"]);
}

//! `watch --exec`: exit 0 processes a message, anything else lets it come again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};

use support::{HANG, World};

#[test]
fn a_command_that_fails_gets_the_message_again() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    // Fails the first time, and keeps what it got.
    let command = "cat >> got; test -e again || { touch again; exit 3; }";
    let mut wire = bob.command();
    wire.args(["--json", "watch", "--exec", command]).current_dir(&world.folder);
    let mut watching = support::Running::start(wire);
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
    let watching = support::Running::start(wire);
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

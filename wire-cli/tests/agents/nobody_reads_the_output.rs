//! Whoever read the output has left: `wire .. | head` ends quietly.

use std::process::{Command, Stdio};

use crate::support::World;

#[test]
fn a_closed_pipe_is_no_error() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let mut watching = alice.command();
    watching.arg("watch").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watching = watching.spawn().unwrap();
    drop(watching.stdout.take());
    bob.send("alice", "is anybody there?");
    let done = watching.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stderr), "watching as alice; Ctrl-C ends it\n");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(alice.texts(), ["is anybody there?"]);
}

/// What could not be shown is not processed, for a person and for a program.
#[cfg(target_os = "linux")]
#[test]
fn what_finds_no_room_waits_on() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    bob.send("alice", "is anybody there?");
    for args in [&["inbox", "--ack", "all"][..], &["--json", "inbox", "--ack", "all"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut inbox = alice.command();
        inbox.args(args).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let done = inbox.output().unwrap();
        assert_eq!(done.status.code(), Some(7), "{done:?}");
        assert_eq!(alice.texts(), ["is anybody there?"]);
    }
    let shown = alice.run(&["--json", "inbox", "--ack", "all"]).ok().stdout;
    let docs: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(docs.len(), 2, "{shown}");
    assert_eq!(docs[0]["messages"][0]["text"], "is anybody there?");
    assert_eq!(docs[1]["processed"], 1);
    assert!(alice.texts().is_empty());
}

#[test]
fn so_it_is_for_help() {
    let mut help = Command::new(env!("CARGO_BIN_EXE_wire"));
    help.arg("--help").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut help = help.spawn().unwrap();
    drop(help.stdout.take());
    let done = help.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

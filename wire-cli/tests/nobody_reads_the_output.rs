//! Whoever read the output has left: `wire .. | head` ends quietly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Stdio};

use support::World;

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

#[test]
fn so_it_is_for_help() {
    let mut help = Command::new(env!("CARGO_BIN_EXE_wire"));
    help.arg("--help").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut help = help.spawn().unwrap();
    drop(help.stdout.take());
    let done = help.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

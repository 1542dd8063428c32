//! When `wire run` is killed, the container ends by itself, and whoever looks next removes it.

use std::process::Stdio;

use crate::rig::{Rig, docker};

#[test]
fn a_killed_process_leaves_nothing() {
    let rig = Rig::new();
    let mut running = rig.start(&["run", "IMAGE", "--", "sh", "-c", "echo ready; sleep 1000"]);
    assert_eq!(running.line(), "ready");
    let [name] = rig.containers().try_into().unwrap();
    running.kill();
    // The engine says when it has ended.
    docker(&["wait", &name]);
    let done = rig.run(&["ps", "--all"]).ok();
    assert!(
        done.stderr.contains(&format!("removed {name}: the process that it was made for is gone")),
        "{done:?}"
    );
    assert!(done.stdout.starts_with("no containers"), "{done:?}");
    rig.has_nothing();
}

/// What a command has started in a container that stays goes with it: a program, and a copy.
#[test]
fn nothing_runs_on_for_a_command_that_was_killed() {
    let rig = Rig::new();
    rig.run(&["spawn", "--name", "NAME", "IMAGE"]).ok();
    rig.run(&["exec", "NAME", "--", "sh", "-c", "mkfifo /tmp/fifo"]).ok();
    let mut program = rig.start(&["exec", "NAME", "--", "sh", "-c", "echo ready; sleep 1000"]);
    assert_eq!(program.line(), "ready");
    // Nobody writes into it.
    let mut kept = rig.start(&["exec", "NAME", "--detach", "--", "cat", "/tmp/fifo"]);
    kept.line();
    let mut copy = rig.command(&["cp", "-", "NAME:/tmp/in"]).stdin(Stdio::piped()).spawn().unwrap();
    while !docker(&["top", &rig.name]).contains("untar") {}
    program.kill();
    copy.kill().unwrap();
    copy.wait().unwrap();
    loop {
        let runs = docker(&["top", &rig.name]);
        if !runs.contains("sleep 1000") && !runs.contains("untar") {
            break assert!(runs.contains("cat /tmp/fifo"), "what was detached goes on: {runs}");
        }
    }
}

//! As the first process of a process namespace, as in a container.

use std::process::Command;

use crate::support::{Shim, exited, id, setup, shell};
use wire_shim::protocol::{Cause, How, exit};

#[test]
fn orphans_are_reaped() {
    let Some(mut shim) = Shim::in_namespace() else { return };
    shim.configure(setup());
    // Two hundred processes that lose their parent while they run, and one that watches for the dead.
    let script = "i=0; while [ $i -lt 200 ]; do (sleep 0.01 &); i=$((i+1)); done
        while [ \"$(ls -d /proc/[0-9]* | wc -l)\" -gt 8 ]; do sleep 0.01; done
        grep -l '^State:.Z' /proc/[0-9]*/status; echo clean";
    let (output, end) = shim.run(&shell(1, script));
    exited(0, &end);
    assert_eq!(output.text(), "clean\n");
}

#[test]
fn sigterm_from_outside_stops_it() {
    let Some(mut shim) = Shim::in_namespace() else { return };
    shim.configure(setup());
    shim.exec(&shell(1, "trap '' TERM; echo up; while :; do sleep 1000; done"));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    let first = crate::support::below(shim.pid())[0];
    assert!(Command::new("kill").args(["-TERM", &first.to_string()]).status().unwrap().success());
    let end = shim.ended(id(1));
    assert_eq!((end.how, end.cause), (How::Signaled(9), Cause::Stop));
    assert_eq!(shim.wait().code(), Some(i32::from(exit::STOPPED)));
}

#[test]
fn what_was_left_by_others_goes_when_everything_ends() {
    let Some(mut shim) = Shim::in_namespace() else { return };
    shim.configure(setup());
    let first = crate::support::below(shim.pid())[0];
    // As an engine's own exec: not a child of the first process, and then its orphan.
    let entered = Command::new("nsenter")
        .args(["-t", &first.to_string(), "-p", "-m", "sh", "-c", "sleep 1000 & echo $!"])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(entered.unwrap().success());
    exited(0, &shim.run(&shell(1, "true")).1);
    let sleeper = crate::support::below(first);
    assert_eq!(sleeper.len(), 1, "an exec that ends is none of its business");
    shim.send(&wire_shim::protocol::ToShim::Stop { grace_ms: 0 });
    assert_eq!(shim.wait().code(), Some(i32::from(exit::STOPPED)));
    assert!(!crate::support::runs(sleeper[0]));
}

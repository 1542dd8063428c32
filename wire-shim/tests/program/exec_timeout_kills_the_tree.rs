//! A time-out ends the whole tree: also what ignores SIGTERM, what holds the pipe, what made itself a daemon.

use crate::support::{Shim, below, exited, file_appears, runs, shell};
use wire_shim::protocol::{Cause, How};

#[test]
fn a_grandchild_that_ignores_sigterm_and_holds_the_pipe_is_gone_and_what_was_said_is_kept() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script = format!(
        "trap '' TERM; echo before; (trap '' TERM; echo $$ >{0}.sh; sh -c 'echo $$ >{0}; exec sleep 1000') & wait",
        pid_file.display()
    );
    let mut spec = shell(1, &script);
    spec.timeout_ms = Some(500);
    let (output, end) = shim.run(&spec);
    let grandchild: u32 = file_appears(&pid_file).parse().unwrap();
    assert_eq!((end.cause, end.tree_gone), (Cause::Timeout, true));
    assert_eq!(end.how, How::Signaled(9), "SIGTERM was ignored");
    assert_eq!(output.text(), "before\n");
    assert!(!runs(grandchild));
    assert_eq!(below(shim.pid()), [], "nothing is left, not even to be reaped");
}

#[test]
fn a_program_that_heeds_sigterm_ends_in_its_own_way() {
    let mut shim = Shim::new();
    let mut spec = shell(1, "trap 'echo bye; exit 3' TERM; echo up; sleep 1000 & wait");
    spec.timeout_ms = Some(300);
    spec.grace_ms = 60_000;
    let (output, end) = shim.run(&spec);
    assert_eq!((&end.how, end.cause, end.tree_gone), (&How::Exited(3), Cause::Timeout, true));
    assert_eq!(output.text(), "up\nbye\n");
}

#[test]
fn a_daemon_that_is_left_behind_ends_with_its_program() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    // Twice away from its parent, in a session of its own, with the pipes still open.
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM HUP; echo $$ >{}; while :; do sleep 1000; done' &) ; \
         while ! [ -s {0} ]; do sleep 0.01; done; echo left",
        pid_file.display()
    );
    let (output, end) = shim.run(&shell(1, &script.replace("{0}", &pid_file.display().to_string())));
    exited(0, &end);
    assert_eq!(output.text(), "left\n");
    assert!(!runs(file_appears(&pid_file).parse().unwrap()));
    assert_eq!(below(shim.pid()), []);
}

#[test]
fn what_finishes_just_after_its_program_is_still_heard() {
    let mut shim = Shim::new();
    let (output, end) = shim.run(&shell(1, "(sleep 0.02; echo late) & echo early"));
    exited(0, &end);
    assert_eq!(output.text(), "early\nlate\n");
}

//! A program runs as the same user as the shim, and does to it what it can.

use crate::support::{Shim, below, exited, file_appears, id, runs, shell};
use wire_shim::protocol::{Cause, How, ToShim};

#[test]
fn killing_the_watcher_ends_the_program_and_its_tree_and_is_reported() {
    let mut shim = Shim::new();
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script = format!(
        "trap '' TERM; echo before; (trap '' TERM; setsid sh -c 'echo $$ >{}; while :; do sleep 1000; done') &
         while ! [ -s {0} ]; do sleep 0.01; done; kill -9 $PPID; while :; do sleep 1000; done",
        pid_file.display()
    );
    let (output, end) = shim.run(&shell(1, &script.replace("{0}", &pid_file.display().to_string())));
    assert_eq!((end.how, end.cause, end.tree_gone), (How::Signaled(9), Cause::Unwatched, true));
    assert_eq!(output.text(), "before\n");
    assert!(!runs(file_appears(&pid_file).parse().unwrap()));
    assert_eq!(below(shim.pid()), []);
    exited(0, &shim.run(&shell(2, "true")).1);
}

#[test]
fn a_program_that_ends_right_after_it_killed_the_watcher_has_its_own_code() {
    let mut shim = Shim::new();
    let (_, end) = shim.run(&shell(1, "kill -9 $PPID; exit 5"));
    // Whether it came to its end or was ended with its tree is a race, but nothing else can be said.
    assert!(matches!(end.how, How::Exited(5) | How::Signaled(9)), "{:?}", end.how);
    assert_eq!((end.cause, end.tree_gone), (Cause::Unwatched, true));
}

#[test]
fn stopping_the_watcher_stops_neither_its_reports_nor_its_time() {
    let mut shim = Shim::new();
    let (output, end) = shim
        .run(&shell(1, "i=0; while [ $i -lt 50 ]; do kill -STOP $PPID; i=$((i+1)); done; echo over; exit 6"));
    exited(6, &end);
    assert_eq!(output.text(), "over\n");

    let mut spec = shell(2, "trap '' TERM; while :; do kill -STOP $PPID; done");
    spec.timeout_ms = Some(300);
    let (_, end) = shim.run(&spec);
    assert_eq!((end.how, end.cause, end.tree_gone), (How::Signaled(9), Cause::Timeout, true));
    assert_eq!(below(shim.pid()), []);
}

#[test]
fn signals_to_the_first_process_mean_nothing() {
    let Some(mut shim) = Shim::in_namespace() else { return };
    shim.configure(crate::support::setup());
    let script = "for s in TERM INT HUP QUIT KILL STOP USR1 SEGV CHLD PIPE; do kill -$s 1; done; sleep 0.1; echo alive";
    let (output, end) = shim.run(&shell(1, script));
    exited(0, &end);
    assert_eq!(output.text(), "alive\n");
    // All that it may kill is its own user's programs; the first process goes on.
    shim.exec(&shell(2, "echo up; sleep 1000"));
    shim.attach(id(2), 2);
    shim.until(2, "up");
    let (_, end) = shim.run(&shell(3, "kill -9 -1"));
    assert_eq!(end.cause, Cause::Unwatched);
    assert_eq!(shim.ended(id(2)).cause, Cause::Unwatched);
    exited(0, &shim.run(&shell(4, "true")).1);
}

#[test]
fn a_bomb_of_processes_ends_with_its_time() {
    let mut shim = Shim::new();
    // Each generation leaves its parent and its session; some thousand processes are made.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("bomb");
    std::fs::write(
        &script,
        "trap '' TERM HUP\n[ $1 -gt 7 ] && exec sleep 1000\nsetsid sh $0 $(($1+1)) &\nsetsid sh $0 $(($1+1)) &\nwait\n",
    )
    .unwrap();
    let mut spec = shell(1, &format!("exec sh {} 0", script.display()));
    (spec.timeout_ms, spec.grace_ms) = (Some(400), 100);
    let (_, end) = shim.run(&spec);
    assert_eq!((end.cause, end.tree_gone), (Cause::Timeout, true));
    assert_eq!(below(shim.pid()), []);
}

#[test]
fn the_shim_is_closed_to_a_program_of_the_same_user() {
    let Some(mut shim) = Shim::as_nobody() else { return };
    shim.configure(crate::support::setup());
    let script = "id -u; init=$(cut -d' ' -f4 /proc/$PPID/stat)
        for p in $PPID $init; do
            for f in environ mem maps fd/0 fd/1 cwd root; do
                if cat /proc/$p/$f >/dev/null 2>&1 || ls /proc/$p/$f/ >/dev/null 2>&1; then echo open $p $f; fi
            done
            echo x 2>/dev/null >/proc/$p/fd/1 && echo written $p
        done; true";
    let (output, end) = shim.run(&shell(1, script));
    exited(0, &end);
    assert_eq!(output.text(), "65534\n");
    shim.send(&ToShim::Stop { grace_ms: 0 });
}

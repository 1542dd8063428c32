//! What happens to output that nobody reads in time, by the word of who started the program.

use crate::support::{Shim, exited, id, shell};
use wire_shim::protocol::{Cause, Overflow, Stream, ToShim};

/// Lines of 8 bytes that say where they are.
const COUNT: &str = "i=0; while [ $i -lt 20000 ]; do printf '%07d\\n' $i; i=$((i+1)); done";

fn whole() -> Vec<u8> {
    (0..20_000).flat_map(|i| format!("{i:07}\n").into_bytes()).collect()
}

#[test]
fn blocked_output_waits_for_a_reader_and_nothing_is_lost() {
    let mut shim = Shim::new();
    let mut spec = shell(1, COUNT);
    spec.ring = 8 << 10;
    shim.exec(&spec);
    shim.started(id(1));
    // It stands still with the ring and the pipe full, until somebody reads.
    while shim.listed()[0].stdout < 8 << 10 {}
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    exited(0, &end);
    assert_eq!(output.gaps, []);
    assert!(output.stdout == whole());
}

#[test]
fn a_program_that_was_never_read_ends_and_all_it_wrote_before_is_there() {
    let mut shim = Shim::new();
    let mut spec = shell(1, "head -c 60000 /dev/zero");
    spec.ring = 4 << 10;
    shim.exec(&spec);
    let end = shim.ended(id(1));
    exited(0, &end);
    shim.attach(id(1), 1);
    let (output, _) = shim.collect(id(1), 1);
    assert_eq!((output.stdout.len(), output.gaps), (60_000, vec![]));
}

#[test]
fn dropped_output_leaves_a_gap_of_exactly_what_is_missing() {
    let mut shim = Shim::new();
    let mut spec = shell(1, COUNT);
    (spec.ring, spec.overflow) = (8 << 10, Overflow::DropOldest);
    shim.exec(&spec);
    let end = shim.ended(id(1));
    exited(0, &end);
    assert_eq!(end.stdout, 160_000);
    shim.attach(id(1), 1);
    let (output, _) = shim.collect(id(1), 1);
    assert_eq!(output.gaps, [(Stream::Stdout, 0, 160_000 - (8 << 10))]);
    assert!(output.stdout == whole()[160_000 - (8 << 10)..]);
}

#[test]
fn too_much_output_ends_the_program() {
    let mut shim = Shim::new();
    let mut spec = shell(1, "yes");
    (spec.ring, spec.overflow) = (8 << 10, Overflow::Kill);
    shim.exec(&spec);
    let end = shim.ended(id(1));
    assert_eq!((end.cause, end.tree_gone), (Cause::Overflow, true));
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    assert_eq!((output.stdout.len() as u64, output.gaps), (end.stdout, vec![]));
}

#[test]
fn a_slow_reader_that_does_not_hold_neither_stops_the_program_nor_another_reader() {
    let mut shim = Shim::new();
    let mut slow = shim.connect();
    slow.hello(Some(crate::support::TOKEN));
    let mut spec = shell(1, "head -c 5000000 /dev/zero");
    spec.ring = 64 << 10;
    spec.stdin = true;
    shim.exec(&spec);
    shim.started(id(1));
    slow.send(&ToShim::Attach {
        exec: id(1),
        sub: 9,
        stdout: 0,
        stderr: 0,
        hold: false,
        stdout_unread: 0,
        stderr_unread: 0,
    });
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    exited(0, &end);
    assert_eq!((output.stdout.len(), output.gaps), (5_000_000, vec![]));
    // It took what fitted into its window, and is told exactly what it missed.
    let (late, _) = slow.collect(id(1), 9);
    let missed: u64 = late.gaps.iter().map(|(_, from, to)| to - from).sum();
    assert_eq!(late.stdout.len() as u64 + missed, 5_000_000);
    assert!(missed > 0);
}

//! Signals to a program or its tree, and the order to end it.

use crate::support::{Shim, TOKEN, id, shell};
use wire_shim::protocol::{Cause, FromShim, How, Refusal, ToShim};

#[test]
fn a_signal_reaches_the_program_or_all_of_its_tree() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "trap 'echo got' USR1; (trap 'echo below' USR1; echo ready; while :; do sleep 0.01; done) & while :; do sleep 0.01; done"));
    shim.started(id(1));
    shim.attach(id(1), 1);
    shim.until(1, "ready");
    shim.send(&ToShim::Signal { req: 5, exec: id(1), signal: 10, tree: false });
    shim.until(1, "got");
    shim.send(&ToShim::Signal { req: 6, exec: id(1), signal: 10, tree: true });
    shim.until(1, "below");
    for req in [5, 6] {
        shim.find(|message| matches!(message, FromShim::Done { req: r } if *r == req).then_some(()));
    }
    shim.send(&ToShim::Kill { exec: id(1), grace_ms: 0 });
    let end = shim.ended(id(1));
    assert_eq!((end.cause, end.tree_gone), (Cause::Kill, true));
    assert!(matches!(end.how, How::Signaled(9 | 15)), "{:?}", end.how);

    shim.send(&ToShim::Signal { req: 7, exec: id(1), signal: 10, tree: true });
    shim.send(&ToShim::Signal { req: 8, exec: id(9), signal: 10, tree: true });
    for (number, asked) in [(1, 7), (9, 8)] {
        let gone = FromShim::NoExec { exec: id(number), req: Some(asked) };
        shim.find(|message| (*message == gone).then_some(()));
    }
}

#[test]
fn a_signal_that_is_none_is_declined_and_the_container_goes_on() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "echo up; while :; do sleep 1000; done"));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    for (req, signal) in (5..).zip([0, -1, 32, 34, 64, 4711]) {
        shim.send(&ToShim::Signal { req, exec: id(1), signal, tree: true });
        let declined = FromShim::Declined { req, why: Refusal::Malformed };
        shim.find(|message| (*message == declined).then_some(()));
    }
    assert!(shim.listed()[0].end.is_none());
    shim.send(&ToShim::Signal { req: 9, exec: id(1), signal: 31, tree: true });
    assert_eq!(shim.ended(id(1)).how, How::Signaled(31));
}

#[test]
fn whoever_asks_for_an_end_hears_of_it_however_late() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "echo up; while :; do sleep 1000; done"));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    let mut other = shim.connect();
    other.hello(Some(TOKEN));
    for _ in 0..2 {
        other.send(&ToShim::Kill { exec: id(1), grace_ms: 0 });
        assert_eq!(other.ended(id(1)).cause, Cause::Kill);
    }
}

#[test]
fn an_end_that_was_asked_for_comes_sooner_if_it_is_asked_again() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "trap '' TERM; echo up; while :; do sleep 1000; done"));
    shim.attach(id(1), 1);
    shim.until(1, "up");
    shim.send(&ToShim::Kill { exec: id(1), grace_ms: 1_000_000 });
    shim.send(&ToShim::Kill { exec: id(1), grace_ms: 0 });
    let end = shim.ended(id(1));
    assert_eq!((end.how, end.cause, end.tree_gone), (How::Signaled(9), Cause::Kill, true));
}

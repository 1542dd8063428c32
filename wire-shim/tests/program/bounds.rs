//! However much is asked or said, the shim's memory and its records are bounded.

use crate::support::{Shim, TOKEN, exited, id, never_started, shell, spec};
use wire_shim::protocol::{ExecId, FromShim, NotStarted, Overflow, Refusal, ToShim};

fn numbered(number: u16) -> ExecId {
    let mut bytes = [0xee; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    ExecId::from(bytes)
}

#[test]
fn the_oldest_that_have_ended_are_dropped_and_never_one_that_runs() {
    let mut shim = Shim::new();
    let mut keeps = spec(1, ["cat"]);
    keeps.stdin = true;
    shim.exec(&keeps);
    shim.started(id(1));
    for number in 0..300 {
        let mut short = spec(2, ["true"]);
        short.id = numbered(number);
        shim.exec(&short);
        exited(0, &shim.ended(short.id));
    }
    let listed = shim.listed();
    assert_eq!(listed.len(), 256);
    assert!(listed.iter().any(|exec| exec.id == id(1) && exec.end.is_none()));
    assert!(!listed.iter().any(|exec| exec.id == numbered(44)));
    assert!(listed.iter().any(|exec| exec.id == numbered(45)));
    shim.attach(numbered(0), 1);
    shim.find(|message| (*message == FromShim::NoExec { exec: numbered(0), req: None }).then_some(()));
}

#[test]
fn too_many_at_once_are_told_so_and_may_come_again() {
    let mut shim = Shim::new();
    let mut cat = spec(1, ["cat"]);
    (cat.stdin, cat.ring) = (true, 16 << 20);
    // Two rings of 16 MiB each: four of these are all that fits.
    for number in 0..4 {
        cat.id = numbered(number);
        shim.exec(&cat);
        shim.started(cat.id);
    }
    cat.id = numbered(4);
    shim.exec(&cat);
    assert_eq!(never_started(&shim.ended(cat.id)), NotStarted::Busy);
    shim.send(&ToShim::StdinEnd { exec: numbered(0), offset: 0 });
    exited(0, &shim.ended(numbered(0)));
    shim.exec(&cat);
    shim.started(cat.id);
}

#[test]
fn a_flood_and_a_client_that_never_reads_take_little_memory() {
    let mut shim = Shim::new();
    let mut flood = shell(1, "head -c 300000000 /dev/zero");
    (flood.ring, flood.overflow) = (1 << 20, Overflow::DropOldest);
    shim.exec(&flood);
    shim.started(id(1));
    let mut deaf = Vec::new();
    for _ in 0..10 {
        let mut client = shim.connect();
        client.hello(Some(TOKEN));
        for sub in 0..20 {
            client.send(&ToShim::Attach {
                exec: id(1),
                sub,
                stdout: 0,
                stderr: 0,
                hold: false,
                stdout_unread: 0,
                stderr_unread: 0,
            });
        }
        deaf.push(client);
    }
    let end = shim.ended(id(1));
    exited(0, &end);
    assert_eq!(end.stdout, 300_000_000);
    let peak = crate::support::resident_mib(shim.pid());
    assert!(peak < 32, "{peak} MiB");
}

#[test]
fn two_floods_that_are_read_all_the_time_take_little_memory() {
    let mut shim = Shim::new();
    for number in [1, 2] {
        shim.exec(&shell(number, "head -c 40000000 /dev/zero"));
        shim.started(id(number));
        shim.attach(id(number), u32::from(number));
    }
    let (mut left, mut ends) = (80_000_000, 0);
    while left > 0 || ends < 2 {
        match shim.next() {
            FromShim::Out { sub, stream, offset, bytes } => {
                left -= bytes.len();
                // Slower than the programs, so that there is always more to be said.
                std::thread::sleep(std::time::Duration::from_millis(1));
                shim.send(&ToShim::Ack { sub, stream, to: offset + bytes.len() as u64 });
            }
            FromShim::Ended { end, .. } => {
                exited(0, &end);
                ends += 1;
            }
            FromShim::Eof { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let peak = crate::support::resident_mib(shim.pid());
    assert!(peak < 32, "{peak} MiB");
}

#[test]
fn a_reading_too_many_is_told_so_and_the_connection_goes_on() {
    let mut shim = Shim::new();
    let mut cat = spec(1, ["cat"]);
    cat.stdin = true;
    shim.exec(&cat);
    shim.started(id(1));
    for sub in 0..1000 {
        shim.attach(id(1), sub);
    }
    shim.listed();
    let mut unread = Vec::new();
    while let Some(message) = shim.passed() {
        match message {
            FromShim::Unread { sub, why: Refusal::Busy } => unread.push(sub),
            other => panic!("{other:?}"),
        }
    }
    assert!(unread.len() < 1000 - 256, "each program that is remembered can be read: {}", unread.len());
    assert_eq!(unread.last(), Some(&999));
    // One that leaves makes place for another.
    shim.send(&ToShim::Detach { sub: 0 });
    shim.attach(id(1), 1000);
    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: b"still here".to_vec() });
    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 10 });
    assert_eq!(shim.piece(1000).1, b"still here");
    exited(0, &shim.ended(id(1)));
}

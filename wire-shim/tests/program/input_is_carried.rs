//! Standard input: as much as one likes, sent again without harm, refused when it makes no sense.

use crate::support::{Shim, exited, id, shell, spec};
use wire_shim::frame::CHUNK;
use wire_shim::protocol::{FromShim, Refusal, Stream, ToShim, WINDOW};

#[test]
fn a_hundred_megabytes_come_back_as_they_went() {
    let mut shim = Shim::new();
    let total: u64 = 100 << 20;
    let mut spec = spec(1, ["cat"]);
    spec.stdin = true;
    shim.exec(&spec);
    shim.started(id(1));
    shim.attach(id(1), 1);
    let byte = |at: u64| (at.wrapping_mul(0x9e37_79b9) >> 16) as u8;
    let (mut sent, mut taken, mut back) = (0, 0, 0);
    loop {
        while sent < total && sent + CHUNK as u64 <= taken + WINDOW {
            let bytes = (sent..sent + CHUNK as u64).map(byte).collect();
            shim.send(&ToShim::Stdin { exec: id(1), offset: sent, bytes });
            sent += CHUNK as u64;
            if sent == total {
                shim.send(&ToShim::StdinEnd { exec: id(1), offset: total });
            }
        }
        match shim.next() {
            FromShim::StdinTaken { to, .. } => taken = to,
            FromShim::Out { stream: Stream::Stdout, offset, bytes, .. } => {
                assert_eq!(offset, back);
                assert!(bytes.iter().zip(offset..).all(|(b, at)| *b == byte(at)));
                back += bytes.len() as u64;
                shim.send(&ToShim::Ack { sub: 1, stream: Stream::Stdout, to: back });
            }
            FromShim::Ended { end, .. } => {
                exited(0, &end);
                assert_eq!(end.stdout, total);
            }
            other => assert!(matches!(other, FromShim::Eof { .. }), "{other:?}"),
        }
        if back == total {
            break;
        }
    }
}

#[test]
fn what_came_before_is_skipped_and_a_hole_is_refused() {
    let mut shim = Shim::new();
    let mut cat = spec(1, ["cat"]);
    cat.stdin = true;
    shim.exec(&cat);
    shim.started(id(1));
    let mut stdin = |offset, bytes: &[u8]| {
        shim.send(&ToShim::Stdin { exec: id(1), offset, bytes: bytes.to_vec() });
    };
    stdin(0, b"abc");
    stdin(0, b"abcdef");
    stdin(2, b"c");
    stdin(6, b"g");
    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 7 });
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    exited(0, &end);
    assert_eq!(output.text(), "abcdefg");

    cat.id = id(2);
    shim.exec(&cat);
    shim.send(&ToShim::Stdin { exec: id(2), offset: 1, bytes: vec![1] });
    assert_eq!(shim.refused(), Some(Refusal::Malformed));
}

#[test]
fn more_than_the_window_is_refused() {
    let mut shim = Shim::new();
    let mut lazy = shell(1, "sleep 1000");
    lazy.stdin = true;
    shim.exec(&lazy);
    shim.started(id(1));
    // A pipe takes 64 KiB, then the window counts.
    let mut chunks = (0..).map(|n| n * CHUNK as u64);
    while let Some(offset) = chunks.next().filter(|offset| *offset < 2 * WINDOW) {
        shim.try_send(&ToShim::Stdin { exec: id(1), offset, bytes: vec![0; CHUNK] });
    }
    assert_eq!(shim.refused(), Some(Refusal::Malformed));
}

#[test]
fn a_program_that_takes_no_more_says_so_and_one_without_input_sees_its_end() {
    let mut shim = Shim::new();
    let (output, end) = shim.run(&spec(1, ["cat"]));
    exited(0, &end);
    assert_eq!(output.text(), "");

    let mut closes = shell(2, "exec <&-; echo closed; sleep 1000");
    closes.stdin = true;
    shim.exec(&closes);
    shim.attach(id(2), 2);
    shim.until(2, "closed");
    shim.send(&ToShim::Stdin { exec: id(2), offset: 0, bytes: b"x".to_vec() });
    shim.find(|message| (*message == FromShim::StdinClosed { exec: id(2) }).then_some(()));
    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: b"x".to_vec() });
    shim.find(|message| (*message == FromShim::StdinClosed { exec: id(1) }).then_some(()));
    shim.send(&ToShim::Stdin { exec: id(3), offset: 0, bytes: b"x".to_vec() });
    shim.find(|message| (*message == FromShim::NoExec { exec: id(3), req: None }).then_some(()));
}

#[test]
fn a_stream_that_ends_before_its_program_is_told_of() {
    let mut shim = Shim::new();
    shim.exec(&shell(1, "echo last; exec >&-; sleep 1000"));
    shim.attach(id(1), 1);
    shim.find(|message| (*message == FromShim::Eof { sub: 1, stream: Stream::Stdout, at: 5 }).then_some(()));
}

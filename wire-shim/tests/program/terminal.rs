//! A terminal of the shim: every byte in order, the right size, a controlling terminal.

use crate::support::{Shim, exited, id, shell, spec};
use wire_shim::protocol::{FromShim, Stream, ToShim, TtySize};

fn on_terminal(number: u8, script: &str) -> wire_shim::protocol::ExecSpec {
    let mut spec = shell(number, script);
    spec.tty = Some(TtySize { cols: 91, rows: 17 });
    spec.stdin = true;
    spec
}

#[test]
fn hostile_bytes_come_as_they_are_and_in_order() {
    let mut shim = Shim::new();
    // What looks like a frame of a multiplexed stream, then a flood of its first byte.
    let script = "stty -opost; printf '\\001\\000\\000\\000\\177\\377\\377\\377'; head -c 20000000 /dev/zero | tr '\\0' '\\001'; printf end";
    let mut spec = on_terminal(1, script);
    spec.ring = 64 << 10;
    let (output, end) = shim.run(&spec);
    exited(0, &end);
    let mut whole = b"\x01\0\0\0\x7f\xff\xff\xff".to_vec();
    whole.resize(20_000_008, 1);
    whole.extend_from_slice(b"end");
    assert!(output.stdout == whole, "{} bytes", output.stdout.len());
    assert_eq!((output.stderr.len(), end.stderr), (0, 0), "a terminal has one stream");
}

#[test]
fn it_controls_the_program_and_its_size_can_change() {
    let mut shim = Shim::new();
    let script = "tty; stty size; trap 'stty size' WINCH; trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.01; done";
    shim.exec(&on_terminal(1, script));
    shim.started(id(1));
    shim.attach(id(1), 1);
    let first = String::from_utf8(shim.until(1, "ready")).unwrap();
    assert!(first.contains("/dev/pts/") && first.contains("17 91\r\n"), "{first}");
    shim.send(&ToShim::Resize { exec: id(1), size: TtySize { cols: 132, rows: 50 } });
    shim.until(1, "50 132");
    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: vec![3] });
    shim.until(1, "interrupted");
    exited(9, &shim.ended(id(1)));
}

#[test]
fn the_end_of_input_ends_a_line_reader() {
    let mut shim = Shim::new();
    let mut cat = spec(1, ["cat"]);
    cat.tty = Some(TtySize { cols: 80, rows: 24 });
    cat.stdin = true;
    shim.exec(&cat);
    shim.started(id(1));
    shim.attach(id(1), 1);
    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: b"line\n".to_vec() });
    shim.until(1, "line\r\nline\r\n");
    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 5 });
    exited(0, &shim.ended(id(1)));
}

#[test]
fn the_end_of_input_in_the_middle_of_a_line_ends_a_line_reader_too() {
    let mut shim = Shim::new();
    for (number, input, said) in [(1, "abc", "abcabc"), (2, "a\nb", "a\r\nba\r\nb"), (3, "", "")] {
        let mut cat = spec(number, ["cat"]);
        cat.tty = Some(TtySize { cols: 80, rows: 24 });
        cat.stdin = true;
        let exec = cat.id;
        shim.exec(&cat);
        shim.started(exec);
        shim.send(&ToShim::Stdin { exec, offset: 0, bytes: input.into() });
        shim.send(&ToShim::StdinEnd { exec, offset: input.len() as u64 });
        shim.attach(exec, u32::from(number));
        let (output, end) = shim.collect(exec, u32::from(number));
        exited(0, &end);
        assert_eq!(output.text().len(), said.len(), "{:?}", output.text());
    }
}

#[test]
fn a_program_that_outlives_its_terminal_is_ended_with_it() {
    let mut shim = Shim::new();
    shim.exec(&on_terminal(1, "(trap '' HUP TERM; while :; do sleep 1000; done) & echo off"));
    shim.attach(id(1), 1);
    exited(0, &shim.ended(id(1)));
    let mut said = Vec::new();
    while said.len() < 5 {
        said.extend(shim.find(|message| match message {
            FromShim::Out { stream: Stream::Stdout, bytes, .. } => Some(bytes.clone()),
            FromShim::Out { .. } | _ => None,
        }));
    }
    assert_eq!(said, b"off\r\n");
    assert_eq!(crate::support::below(shim.pid()), []);
}

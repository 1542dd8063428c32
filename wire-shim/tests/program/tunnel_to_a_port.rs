//! A connection to a port of the container, carried over a program's standard streams.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use crate::support::{SHIM, Shim, exited, id, spec, tool};
use wire_shim::entry::code;
use wire_shim::protocol::{FromShim, Stream, ToShim};

#[test]
fn both_directions_end_by_themselves() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = std::thread::spawn(move || {
        // It answers when it has read everything,
        let (mut first, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        first.read_to_end(&mut all).unwrap();
        all.reverse();
        first.write_all(&all).unwrap();
        drop(first);
        // or says all it has first, and reads then.
        let (mut second, _) = listener.accept().unwrap();
        second.write_all(b"hello").unwrap();
        second.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        second.read_to_end(&mut all).unwrap();
        all
    });
    let mut shim = Shim::new();
    let mut tunnel = spec(1, [SHIM, "tcp", &port]);
    tunnel.stdin = true;
    shim.exec(&tunnel);
    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: b"abc".to_vec() });
    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 3 });
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    exited(i32::from(code::OK), &end);
    assert_eq!(output.text(), "cba");

    tunnel.id = id(2);
    shim.exec(&tunnel);
    shim.attach(id(2), 2);
    shim.find(|message| (*message == FromShim::Eof { sub: 2, stream: Stream::Stdout, at: 5 }).then_some(()));
    shim.send(&ToShim::Stdin { exec: id(2), offset: 0, bytes: b"late".to_vec() });
    shim.send(&ToShim::StdinEnd { exec: id(2), offset: 4 });
    exited(i32::from(code::OK), &shim.ended(id(2)));
    assert_eq!(server.join().unwrap(), b"late");
}

#[test]
fn a_port_that_nobody_has_is_missing() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(tool(&["tcp", &free.to_string()], b"").1, code::MISSING);
    assert_eq!(tool(&["tcp", "99999"], b"").1, code::USAGE);
}

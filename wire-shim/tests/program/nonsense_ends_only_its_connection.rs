//! Frames that are none, or make no sense, end the connection that they came on. What runs goes on.

use std::io::Write;

use crate::support::{Shim, TOKEN, exited, id, shell};
use wire_shim::frame::encode;
use wire_shim::protocol::{FromShim, Refusal, ToShim};

#[test]
fn whatever_is_sent_the_programs_go_on() {
    let mut shim = Shim::new();
    let mut spec = shell(1, "cat");
    spec.stdin = true;
    shim.exec(&spec);
    shim.started(id(1));
    let beat = encode(&ToShim::Beat).unwrap();
    let nonsense: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"W1\xff\xff\xff\xff",
        b"W1\0\0\0\x02\xff\xff",
        b"W1\0\0\0\x04\x82\x18\x63\x80",
        b"W1\0\0\0\0",
        &[&beat[..], b"W2"].concat(),
    ];
    for bytes in nonsense {
        for known in [false, true] {
            let mut client = shim.connect();
            if known {
                client.hello(Some(TOKEN));
            }
            client.send_raw(bytes);
            assert_eq!(client.refused(), Some(Refusal::Malformed), "{bytes:?}");
        }
    }
    // A stranger that never finishes its first word, but sends a lot.
    let mut stranger = shim.connect();
    stranger.send_raw(b"W1\0\x0f\xff\xff");
    stranger.send_raw(&[0; 8 << 10]);
    assert_eq!(stranger.refused(), Some(Refusal::Malformed));

    let mut twice = shim.connect();
    twice.hello(Some(TOKEN));
    assert_eq!(twice.hello(Some(TOKEN)), FromShim::Refused { why: Refusal::Malformed });
    let mut doubled = shim.connect();
    doubled.hello(Some(TOKEN));
    doubled.attach(id(1), 1);
    doubled.attach(id(1), 1);
    assert_eq!(doubled.refused(), Some(Refusal::Malformed));
    let mut ahead = shim.connect();
    ahead.hello(Some(TOKEN));
    ahead.attach(id(1), 1);
    ahead.send(&ToShim::Ack { sub: 1, stream: wire_shim::protocol::Stream::Stdout, to: 1 });
    assert_eq!(ahead.refused(), Some(Refusal::Malformed));

    shim.send(&ToShim::Stdin { exec: id(1), offset: 0, bytes: b"still here".to_vec() });
    shim.send(&ToShim::StdinEnd { exec: id(1), offset: 10 });
    shim.attach(id(1), 1);
    let (output, end) = shim.collect(id(1), 1);
    exited(0, &end);
    assert_eq!(output.text(), "still here");
}

/// A repeatable stream of random bytes, cut into frames of the right form.
#[test]
fn random_bodies_do_no_harm() {
    let mut shim = Shim::new();
    let mut seed = 0x1234_5678_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..300 {
        let mut client = shim.connect();
        client.hello(Some(TOKEN));
        let body: Vec<u8> = (0..random() % 60).map(|_| random() as u8).collect();
        // The first two bytes as a message has them, so that its fields are reached.
        let body = [&[0x82, (random() % 20) as u8][..], &body].concat();
        let mut frame = b"W1".to_vec();
        frame.extend((body.len() as u32).to_be_bytes());
        frame.extend(body);
        client.send_raw(&frame);
        client.hang_up();
        drop(client);
    }
    exited(0, &shim.run(&shell(1, "true")).1);
    std::io::stdout().flush().unwrap();
}

//! Somebody who overheard the number claims it first, and knows no word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::World;
use wire_core::mailbox::{Claim, ClientToken};
use wire_core::pairing::{Code, Rendezvous};

#[test]
fn who_claims_a_code_first_spoils_it_and_everybody_is_told() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let place = Rendezvous::from(Code::parse(&code).unwrap().nameplate);
    let claim = Claim { place, token: ClientToken::from_bytes([7; 32]).hash() };
    assert!(post(&world.address, "/v1/pair/claim", &claim.to_bytes()).starts_with("HTTP/1.1 200"));

    let (answer, exit) = bob.json(&["join", &code]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("code_used"), 4), "{answer}");
    assert_eq!(pairing.json()["error"]["code"], "contested");
    assert_eq!(pairing.end().code, 4);
}

fn post(address: &str, path: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

//! Somebody who overheard the number claims it first, and knows no word.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::World;
use wire_core::mailbox::{Claim, ClientToken, Close};
use wire_core::pairing::{Code, InviteLink, Rendezvous};

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

/// Who claims it may give it up before its maker has looked.
#[test]
fn a_code_that_is_gone_before_its_time_was_used_and_did_not_expire() {
    let world = World::new();
    let alice = world.side("alice");
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let (place, token) =
        (Rendezvous::from(Code::parse(&code).unwrap().nameplate), ClientToken::from_bytes([7; 32]));
    let claim = Claim { place: place.clone(), token: token.hash() };
    assert!(post(&world.address, "/v1/pair/claim", &claim.to_bytes()).starts_with("HTTP/1.1 200"));
    let close = Close { place, token };
    assert!(post(&world.address, "/v1/pair/close", &close.to_bytes()).starts_with("HTTP/1.1 200"));
    assert_eq!(pairing.json()["error"]["code"], "code_used");
    assert_eq!(pairing.end().code, 4);
}

#[test]
fn the_maker_of_a_link_sees_that_it_failed_and_why() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let (invite, _) = alice.json(&["pair", "--invite", "--name", "robert"]);
    let (waits, _) = alice.json(&["peers"]);
    assert_eq!(waits["invites"][0]["state"], "waiting", "{waits}");
    let link = invite["link"].as_str().unwrap();
    let claim = Claim {
        place: InviteLink::parse(link).unwrap().rendezvous(),
        token: ClientToken::from_bytes([7; 32]).hash(),
    };
    assert!(post(&world.address, "/v1/pair/claim", &claim.to_bytes()).starts_with("HTTP/1.1 200"));
    assert_eq!(bob.run_with(&["join", "-"], link).code, 4);

    // A command looks at its invites beside what it does.
    let failed =
        (1..=10).map(|_| alice.json(&["peers"]).0).find(|peers| peers["invites"][0]["state"] == "failed");
    let failed = failed.expect("it failed");
    let why = &failed["invites"][0]["why"];
    assert_eq!((why["code"].as_str(), why["retryable"].as_bool()), (Some("contested"), Some(false)));
    let said = alice.run(&["peers"]).ok().stdout;
    assert!(said.contains("invite for robert  failed: a third party"), "{said}");
    assert!(said.contains("next: begin anew"), "{said}");
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

//! Either side may be the other implementation: the bytes are those of the description, and both
//! end in the same session.

use crate::support::model::{self, ModelA, Offer, Side};
use crate::support::{CODE, Party, SeededRng, context, words};
use wire_core::identity::STATEMENT_LEN;
use wire_core::pairing::{Initiator, Responder};

const PRS: &str = "canyon-velvet-oyster";

#[test]
fn as_initiator() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let a = ModelA::start(PRS, rng);
    let m1 = a.m1.clone();
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let book = a.finish(&m2);
    let m3 = model::m3(&book, &alice, rng);
    let (b, m4) = b.receive_m3(&m3, bob.identity.root()).unwrap().confirm(bob.offer(), rng).unwrap();

    assert_eq!(b.peer.root(), alice.identity.root());
    assert_eq!(b.peer.display.as_str(), "alice");
    assert_eq!(b.peer.certificate, alice.certificate);
    assert_eq!(b.sas.to_string(), book.sas());
    assert_eq!(b.reset_keys.own.expose().as_slice(), book.rst_b);
    assert_eq!(b.reset_keys.peer.expose().as_slice(), book.rst_a);
    let id = book.session_id(&alice.identity, &bob.identity, &m3, &m4);
    assert_eq!(b.session.id().as_bytes(), &id);

    let theirs = book.open(&Side::b(&m3), &m4);
    assert_eq!(theirs.len(), 4096);
    let len = u32::from_be_bytes(theirs[..4].try_into().unwrap()) as usize;
    let body = &theirs[4..4 + len];
    let signature = model::sign(&bob.identity, b"B", &book.th, body, &model::sha256(&m3));
    assert_eq!(model::pad(body, &signature), theirs);
    // all of it but the ratchet key is known
    let mut expected = Offer::of(&bob, rng);
    expected.dr_pub = body[4 + STATEMENT_LEN + 3..][..32].to_vec();
    assert_eq!(expected.body(), body);
}

#[test]
fn as_responder() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (book, m2) = model::respond(PRS, &m1, rng);
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let opened = book.open(&Side::a(), &m3);
    assert_eq!(opened.len(), 4096);
    let m4 = model::m4(&book, &bob, &m3, rng);
    let a = a.receive_m4(&m4, rng).unwrap();

    assert_eq!(a.peer.root(), bob.identity.root());
    assert_eq!(a.peer.display.as_str(), "");
    assert_eq!(a.sas.to_string(), book.sas());
    assert_eq!(a.reset_keys.own.expose().as_slice(), book.rst_a);
    let id = book.session_id(&alice.identity, &bob.identity, &m3, &m4);
    assert_eq!(a.session.id().as_bytes(), &id);
}

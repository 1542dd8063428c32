//! Attack test 22: a relay puts parts of two envelopes together: of one chain, of two chains, of two
//! sessions, of the two directions.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{NOW, SeededRng, deliver, sessions};

/// Version, suite, nonce and sealed header.
const PREFIX: usize = 82;
/// Version, suite and nonce.
const NONCE_END: usize = 26;

fn splice(head: &[u8], tail: &[u8], at: usize) -> Vec<u8> {
    [&head[..at], &tail[at..]].concat()
}

fn refused(receiver: &Session, envelope: &[u8], expected: OpenError) {
    let before = receiver.to_bytes();
    assert_eq!(receiver.open(envelope, NOW, &mut SeededRng::new(0)).unwrap_err(), expected);
    assert_eq!(receiver.to_bytes(), before);
}

fn seal(session: &mut Session, rng: &mut SeededRng) -> Vec<u8> {
    session.seal(Lane::Ordinary, b"of one size", DEFAULT_MAX, rng).unwrap()
}

#[test]
fn parts_of_one_chain_do_not_fit_each_other() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(22);
    let (one, two) = (seal(&mut alice, &mut rng), seal(&mut alice, &mut rng));
    for step in 0..2 {
        refused(&bob, &splice(&one, &two, PREFIX), OpenError::Crypto);
        refused(&bob, &splice(&two, &one, NONCE_END), OpenError::Unopenable);
        if step == 0 {
            refused(&bob, &splice(&two, &one, PREFIX), OpenError::Crypto);
            deliver(&mut bob, &two, &mut rng).unwrap();
        } else {
            // the header is now one of a message that has come
            refused(&bob, &splice(&two, &one, PREFIX), OpenError::TamperedDuplicate);
        }
    }
    deliver(&mut bob, &one, &mut rng).unwrap();
}

#[test]
fn parts_of_two_chains_do_not_fit_each_other() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(22);
    let one = seal(&mut alice, &mut rng);
    deliver(&mut bob, &one, &mut rng).unwrap();
    let late = seal(&mut alice, &mut rng);
    deliver(&mut alice, &seal(&mut bob, &mut rng), &mut rng).unwrap();
    let next = seal(&mut alice, &mut rng);
    refused(&bob, &splice(&late, &next, PREFIX), OpenError::Crypto);
    refused(&bob, &splice(&next, &late, PREFIX), OpenError::Crypto);
    deliver(&mut bob, &next, &mut rng).unwrap();
    refused(&bob, &splice(&late, &next, PREFIX), OpenError::Crypto);
    deliver(&mut bob, &late, &mut rng).unwrap();
}

#[test]
fn an_envelope_of_another_session_does_not_open() {
    let mut rng = SeededRng::new(3);
    let (mut alice, bob) = sessions(22);
    let (mut other, _) = sessions(23);
    let (ours, theirs) = (seal(&mut alice, &mut rng), seal(&mut other, &mut rng));
    refused(&bob, &theirs, OpenError::Unopenable);
    refused(&bob, &splice(&ours, &theirs, PREFIX), OpenError::Crypto);
    refused(&bob, &splice(&theirs, &ours, PREFIX), OpenError::Unopenable);
}

#[test]
fn the_body_is_bound_to_the_session_id() {
    let mut rng = SeededRng::new(4);
    let (mut alice, bob) = sessions(22);
    // the same keys under another id, which follows the version byte in the stored form
    let mut bytes = bob.to_bytes().to_vec();
    bytes[1] ^= 1;
    let other = Session::from_bytes(&bytes).unwrap();
    let envelope = seal(&mut alice, &mut rng);
    refused(&other, &envelope, OpenError::Crypto);
    assert!(bob.open(&envelope, NOW, &mut rng).is_ok());
}

#[test]
fn an_envelope_sent_back_to_its_sender_does_not_open() {
    let mut rng = SeededRng::new(5);
    let (mut alice, mut bob) = sessions(22);
    for _ in 0..3 {
        let there = seal(&mut alice, &mut rng);
        refused(&alice, &there, OpenError::Unopenable);
        deliver(&mut bob, &there, &mut rng).unwrap();
        refused(&alice, &there, OpenError::Unopenable);
        let back = seal(&mut bob, &mut rng);
        refused(&bob, &back, OpenError::Unopenable);
        refused(&bob, &splice(&there, &back, PREFIX), OpenError::TamperedDuplicate);
        deliver(&mut alice, &back, &mut rng).unwrap();
    }
}

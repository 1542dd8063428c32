//! Attack test 17: a relay delivers an envelope again: at once, after a thousand more, after the
//! chain was closed, after its keys are gone. It never opens twice and never raises the alarm.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{Forged, NOW, SeededRng, deliver, forge, sessions};

fn refused(receiver: &Session, envelope: &[u8], expected: OpenError) {
    let before = receiver.to_bytes();
    assert_eq!(receiver.open(envelope, NOW, &mut SeededRng::new(0)).unwrap_err(), expected);
    assert_eq!(receiver.to_bytes(), before);
}

fn round_trip(alice: &mut Session, bob: &mut Session, rng: &mut SeededRng) {
    let there = alice.seal(Lane::Ordinary, b"there", DEFAULT_MAX, rng).unwrap();
    deliver(bob, &there, rng).unwrap();
    let back = bob.seal(Lane::Ordinary, b"back", DEFAULT_MAX, rng).unwrap();
    deliver(alice, &back, rng).unwrap();
}

#[test]
fn a_replay_is_refused_at_once_and_after_a_thousand_more() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(17);
    let mut sent = Vec::new();
    for i in 0..1001u32 {
        let envelope = alice.seal(Lane::Ordinary, &i.to_be_bytes(), DEFAULT_MAX, &mut rng).unwrap();
        deliver(&mut bob, &envelope, &mut rng).unwrap();
        refused(&bob, &envelope, OpenError::Replayed);
        sent.push(envelope);
    }
    for envelope in &sent {
        refused(&bob, envelope, OpenError::Replayed);
    }
}

#[test]
fn a_replay_of_a_closed_chain_is_refused_and_later_its_keys_are_gone() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(17);
    let envelope = alice.seal(Lane::Ordinary, b"once", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut bob, &envelope, &mut rng).unwrap();
    round_trip(&mut alice, &mut bob, &mut rng);
    // five closed chains are kept
    for _ in 0..5 {
        round_trip(&mut alice, &mut bob, &mut rng);
        refused(&bob, &envelope, OpenError::Replayed);
    }
    round_trip(&mut alice, &mut bob, &mut rng);
    refused(&bob, &envelope, OpenError::Unopenable);
}

#[test]
fn a_replay_from_before_the_remembered_ones_is_unopenable() {
    let mut rng = SeededRng::new(3);
    let (mut alice, mut bob) = sessions(17);
    let first = forge(&mut alice, Forged::default(), b"0", &mut rng);
    deliver(&mut bob, &first, &mut rng).unwrap();
    for _ in 1..2000 {
        let next = forge(&mut alice, Forged::default(), b"n", &mut rng);
        deliver(&mut bob, &next, &mut rng).unwrap();
    }
    refused(&bob, &first, OpenError::Replayed);
    let next = forge(&mut alice, Forged::default(), b"2000", &mut rng);
    deliver(&mut bob, &next, &mut rng).unwrap();
    refused(&bob, &first, OpenError::Unopenable);
    refused(&bob, &next, OpenError::Replayed);
}

//! Attack 5: A gets its own messages back.

use crate::support::{CODE, Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

#[test]
fn m1_comes_back_as_m2() {
    let rng = &mut SeededRng::new(1);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    assert_eq!(a.receive_m2(&m1).unwrap_err(), PairingError::Malformed);
}

#[test]
fn the_share_of_m1_comes_back_in_a_well_formed_m2() {
    let rng = &mut SeededRng::new(2);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (_, mut m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    m2[1..33].copy_from_slice(&m1[34..66]);
    assert_eq!(a.receive_m2(&m2).unwrap_err(), PairingError::Failed);
}

/// A and B on one machine that was cloned draw the same scalar.
#[test]
fn a_responder_that_draws_what_the_initiator_drew() {
    let (_, m1) = Initiator::start(&words(CODE), context(), &mut SeededRng::new(4));
    let result = Responder::respond(&words(CODE), context(), &m1, &mut SeededRng::new(4));
    assert_eq!(result.err(), Some(PairingError::Failed));
}

#[test]
fn m3_comes_back_as_m4() {
    let rng = &mut SeededRng::new(3);
    let alice = Party::new("alice", rng);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (_, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(a.receive_m4(&m3, rng).unwrap_err(), PairingError::Failed);
}

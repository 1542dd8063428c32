//! Attack 7, inside the core: the relay lets a third side answer too, and shows its messages. The
//! first answer is the peer, whatever else comes.

use crate::support::{CODE, OTHER_CODE, Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

struct Sides {
    alice: Party,
    bob: Party,
    carol: Party,
}

fn sides(rng: &mut SeededRng) -> Sides {
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    Sides { alice, bob, carol: Party::new("carol", rng) }
}

/// Carol knows the code and is first: Bob sees M3 for her and fails, and does not show himself.
#[test]
fn a_third_side_that_is_first_shuts_b_out() {
    let rng = &mut SeededRng::new(1);
    let s = sides(rng);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, _) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (c, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(s.alice.offer(), rng).unwrap();
    assert_eq!(b.receive_m3(&m3, s.bob.identity.root()).unwrap_err(), PairingError::Failed);
    // Whoever proves the code is the peer: there is no other difference between Bob and Carol.
    let (_, m4) = c.receive_m3(&m3, s.carol.identity.root()).unwrap().confirm(s.carol.offer(), rng).unwrap();
    assert_eq!(a.receive_m4(&m4, rng).unwrap().peer.root(), s.carol.identity.root());
}

/// Carol does not know it and is first: everyone fails.
#[test]
fn a_third_side_without_the_code_only_ends_the_run() {
    let rng = &mut SeededRng::new(2);
    let s = sides(rng);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (c, m2_c) = Responder::respond(&words(OTHER_CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2_c).unwrap().offer(s.alice.offer(), rng).unwrap();
    assert_eq!(c.receive_m3(&m3, s.carol.identity.root()).unwrap_err(), PairingError::Failed);
    assert_eq!(b.receive_m3(&m3, s.bob.identity.root()).unwrap_err(), PairingError::Failed);
    assert_eq!(a.receive_m4(&m2, rng).unwrap_err(), PairingError::Malformed);
}

/// Bob is first; Carol, who knows the code and has her own keys from the same M1, answers M3 in his
/// place.
#[test]
fn a_third_side_that_is_late_cannot_finish_for_b() {
    let rng = &mut SeededRng::new(3);
    let s = sides(rng);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (_, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(s.alice.offer(), rng).unwrap();

    let (a2, _) = Initiator::start(&words(CODE), context(), rng);
    let (c, m2_c) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    assert_eq!(c.receive_m3(&m3, s.carol.identity.root()).unwrap_err(), PairingError::Failed);
    let (_, m3_c) = a2.receive_m2(&m2_c).unwrap().offer(s.carol.offer(), rng).unwrap();
    assert_eq!(a.receive_m4(&m3_c, rng).unwrap_err(), PairingError::Failed);
}

//! Attack 8, first half: what stands beside the shares is exchanged between runs or cut away.

use crate::support::{CODE, Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

/// B sees A's share with the KEM key of another run by the same code.
#[test]
fn ada_of_another_run() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (_, other) = Initiator::start(&words(CODE), context(), rng);
    let swapped = [&m1[..66], &other[66..]].concat();
    let (b, m2) = Responder::respond(&words(CODE), context(), &swapped, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(b.receive_m3(&m3, bob.identity.root()).unwrap_err(), PairingError::Failed);
    drop(a);
}

/// A sees B's share with the ciphertext of another B.
#[test]
fn adb_of_another_run() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (_, other) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let swapped = [&m2[..33], &other[33..]].concat();
    let (_, m3) = a.receive_m2(&swapped).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(b.receive_m3(&m3, bob.identity.root()).unwrap_err(), PairingError::Failed);
}

/// The KEM key is gone, or the ciphertext is: there is no pairing without them.
#[test]
fn stripped_kem_key_or_ciphertext() {
    let rng = &mut SeededRng::new(3);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let stripped = Responder::respond(&words(CODE), context(), &m1[..68], rng);
    assert_eq!(stripped.err(), Some(PairingError::Malformed));
    let (_, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    assert_eq!(a.receive_m2(&m2[..34]).err(), Some(PairingError::Malformed));
}

/// ADa in the place of ADb, and the other way round.
#[test]
fn ada_and_adb_exchanged() {
    let rng = &mut SeededRng::new(4);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (_, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let m1_with_adb = [&m1[..66], &m2[33..]].concat();
    let m2_with_ada = [&m2[..33], &m1[66..]].concat();
    assert!(Responder::respond(&words(CODE), context(), &m1_with_adb, rng).is_err());
    assert!(a.receive_m2(&m2_with_ada).is_err());
}

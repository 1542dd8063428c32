//! Attack 9: a KEM key with a coefficient at the modulus, another valid KEM key, an altered
//! ciphertext.
//!
//! An altered message fails the confirmation by its transcript alone. That the secret of the KEM is in
//! every key is shown by `every_key_depends_on_every_input`, beside the key schedule.

use crate::support::{CODE, Party, SeededRng, context, flip, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

const EK: usize = 68;

#[test]
fn a_coefficient_at_the_modulus_is_refused_before_anything_is_sent() {
    let rng = &mut SeededRng::new(1);
    for at in [EK, EK + 3 * 200, EK + 3 * 383] {
        let (_, mut m1) = Initiator::start(&words(CODE), context(), rng);
        // 3329 = 0xd01, twelve bits, the low byte first
        m1[at] = 0x01;
        m1[at + 1] = (m1[at + 1] & 0xf0) | 0x0d;
        let result = Responder::respond(&words(CODE), context(), &m1, rng);
        assert_eq!(result.err(), Some(PairingError::Failed), "at {at}");
    }
}

/// Implicit rejection gives A another secret, so there is no error before the confirmation of M3.
#[test]
fn an_altered_ciphertext_fails_the_confirmation() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    for at in [34, 34 + 500, 34 + 1087] {
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
        let (_, m3) = a.receive_m2(&flip(&m2, at)).unwrap().offer(alice.offer(), rng).unwrap();
        assert_eq!(b.receive_m3(&m3, bob.identity.root()).err(), Some(PairingError::Failed));
    }
}

/// The last 32 bytes of the key are a seed: any value is a valid key, and none but A's pairs.
#[test]
fn an_altered_but_valid_key_fails_the_confirmation() {
    let rng = &mut SeededRng::new(3);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(CODE), context(), &flip(&m1, 1251), rng).unwrap();
    let (_, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(b.receive_m3(&m3, bob.identity.root()).err(), Some(PairingError::Failed));
}

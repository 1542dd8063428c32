//! Attack 1: one word is wrong. Both sides fail, neither identity was shown, and the code is used up
//! on both: a second try at it does not compile, and the store refuses it by its tag.

use crate::support::{CODE, OTHER_CODE, Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingError, Responder, consumed_tag};

#[test]
fn wrong_word() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(OTHER_CODE), context(), &m1, rng).unwrap();
    // A cannot see it in M2, and proves itself first.
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(b.receive_m3(&m3, bob.identity.root()).unwrap_err(), PairingError::Failed);

    // B has nothing to answer with. The best that a stranger has for A is M3 itself, or noise.
    assert_eq!(a.receive_m4(&m3, rng).unwrap_err(), PairingError::Failed);
    for relayed in [&m1, &m2, &m3] {
        for name in [alice.identity.root(), bob.identity.root()] {
            assert!(!relayed.windows(32).any(|w| w == name.as_bytes()));
        }
    }
}

#[test]
fn every_message_that_fails_ends_the_run() {
    let rng = &mut SeededRng::new(2);
    // Whatever came back first was the one guess: `a` is moved.
    let (a, _) = Initiator::start(&words(CODE), context(), rng);
    assert_eq!(a.receive_m2(b"noise").unwrap_err(), PairingError::Version);
    let (a, _) = Initiator::start(&words(CODE), context(), rng);
    assert_eq!(a.receive_m2(&[]).unwrap_err(), PairingError::Malformed);
}

#[test]
fn both_stores_know_the_code_again() {
    let (store_a, store_b) = ([1; 32], [2; 32]);
    let place = context().rendezvous;
    let used = consumed_tag(&store_a, &place, &words(CODE));
    assert_eq!(used, consumed_tag(&store_a, &place, &words("4821 CANYON velv oyst")));
    assert_ne!(used, consumed_tag(&store_a, &place, &words(OTHER_CODE)));
    // The two stores cannot be matched with each other.
    assert_ne!(used, consumed_tag(&store_b, &place, &words(CODE)));
}

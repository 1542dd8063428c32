//! Attack 3: the relay plays B towards A, and A towards B. Each side gives it one guess per code and
//! no way to try a second one on the answer.

use crate::support::{Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingSecret, Responder};

const GUESSES: usize = 48;
const RIGHT: usize = 37;

fn guess(i: usize) -> PairingSecret {
    let word = bip39::Language::English.word_list()[i * 7];
    words(&format!("4821-canyon-velvet-{word}"))
}

#[test]
fn as_b_each_code_takes_one_guess() {
    let rng = &mut SeededRng::new(1);
    let (alice, relay) = (Party::new("alice", rng), Party::new("relay", rng));
    let mut hits = Vec::new();
    for i in 0..GUESSES {
        let (a, m1) = Initiator::start(&guess(RIGHT), context(), rng);
        let (b, m2) = Responder::respond(&guess(i), context(), &m1, rng).unwrap();
        let (_, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
        if b.receive_m3(&m3, relay.identity.root()).is_ok() {
            hits.push(i);
        }
    }
    assert_eq!(hits, [RIGHT]);
}

#[test]
fn as_b_no_other_guess_fits_the_answer_to_the_first() {
    let rng = &mut SeededRng::new(2);
    let (alice, relay) = (Party::new("alice", rng), Party::new("relay", rng));
    let (a, m1) = Initiator::start(&guess(RIGHT), context(), rng);
    // The relay prepares every guess, and has to choose one.
    let mut prepared: Vec<_> =
        (0..GUESSES).map(|i| Responder::respond(&guess(i), context(), &m1, rng).unwrap()).collect();
    let (chosen, m2) = prepared.remove(0);
    let (_, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert!(chosen.receive_m3(&m3, relay.identity.root()).is_err());
    for (b, _) in prepared {
        assert!(b.receive_m3(&m3, relay.identity.root()).is_err());
    }
}

#[test]
fn as_a_each_code_takes_one_guess() {
    let rng = &mut SeededRng::new(3);
    let (relay, bob) = (Party::new("relay", rng), Party::new("bob", rng));
    let mut hits = Vec::new();
    for i in 0..GUESSES {
        let (a, m1) = Initiator::start(&guess(i), context(), rng);
        let (b, m2) = Responder::respond(&guess(RIGHT), context(), &m1, rng).unwrap();
        let (_, m3) = a.receive_m2(&m2).unwrap().offer(relay.offer(), rng).unwrap();
        if b.receive_m3(&m3, bob.identity.root()).is_ok() {
            hits.push(i);
        }
    }
    assert_eq!(hits, [RIGHT]);
}

#[test]
fn as_a_no_other_guess_fits_the_answer_to_the_first() {
    let rng = &mut SeededRng::new(4);
    let (relay, bob) = (Party::new("relay", rng), Party::new("bob", rng));
    let mut prepared: Vec<_> = (0..GUESSES).map(|i| Initiator::start(&guess(i), context(), rng)).collect();
    let (_, m1) = prepared.remove(0);
    for (other, _) in prepared {
        let (b, m2) = Responder::respond(&guess(RIGHT), context(), &m1, rng).unwrap();
        let (_, m3) = other.receive_m2(&m2).unwrap().offer(relay.offer(), rng).unwrap();
        assert!(b.receive_m3(&m3, bob.identity.root()).is_err());
    }
}

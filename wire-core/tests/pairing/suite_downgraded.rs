//! Attack 8, second half: someone on the way changes the suites.

use crate::support::{CODE, Party, SeededRng, context, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

/// A offered suite 1 alone; the relay makes a longer list of it. B can still choose 1, and the run
/// fails because the two sides saw different lists.
#[test]
fn a_list_changed_on_the_way() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    for suites in [&[0u8, 1][..], &[1, 2], &[1, 2, 255]] {
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let count = [suites.len() as u8];
        let changed = [&m1[..66], &count, suites, &m1[68..]].concat();
        let (b, m2) = Responder::respond(&words(CODE), context(), &changed, rng).unwrap();
        let (_, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
        assert_eq!(b.receive_m3(&m3, bob.identity.root()).unwrap_err(), PairingError::Failed);
    }
}

#[test]
fn a_list_without_a_known_suite_or_without_any() {
    let rng = &mut SeededRng::new(2);
    let (_, m1) = Initiator::start(&words(CODE), context(), rng);
    for (list, error) in [
        (&[1u8, 0][..], PairingError::Suite),
        (&[1, 2], PairingError::Suite),
        (&[2, 2, 3], PairingError::Suite),
        (&[0], PairingError::Malformed),
        (&[2, 1, 1], PairingError::Malformed),
        (&[2, 2, 1], PairingError::Malformed),
    ] {
        let changed = [&m1[..66], list, &m1[68..]].concat();
        let result = Responder::respond(&words(CODE), context(), &changed, rng);
        assert_eq!(result.err(), Some(error), "{list:?}");
    }
}

#[test]
fn a_choice_that_was_not_offered() {
    let rng = &mut SeededRng::new(3);
    for suite in [0u8, 2, 255] {
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let (_, mut m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
        m2[33] = suite;
        assert_eq!(a.receive_m2(&m2).err(), Some(PairingError::Suite));
    }
}

#[test]
fn another_version_or_pairing_suite() {
    let rng = &mut SeededRng::new(4);
    for value in [0u8, 2, 255] {
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let (_, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
        let with = |message: &[u8], at: usize| {
            let mut changed = message.to_vec();
            changed[at] = value;
            changed
        };
        let respond =
            |m1: &[u8], rng: &mut SeededRng| Responder::respond(&words(CODE), context(), m1, rng).err();
        assert_eq!(respond(&with(&m1, 0), rng), Some(PairingError::Version));
        assert_eq!(respond(&with(&m1, 1), rng), Some(PairingError::Suite));
        assert_eq!(a.receive_m2(&with(&m2, 0)).err(), Some(PairingError::Version));
    }
}

//! Attack test 27: what a relay delivers is no envelope at all: cut short, empty, too long, junk.

use proptest::prelude::*;
use wire_core::envelope::{DEFAULT_MAX, HARD_MAX, max_payload};
use wire_core::session::{Lane, OpenError, Session, SessionError};
use wire_core::testing::{NOW, SeededRng, deliver, sessions};

#[test]
fn every_other_length_is_malformed() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(27);
    let envelope = alice.seal(Lane::Ordinary, &[7; 900], DEFAULT_MAX, &mut rng).unwrap();
    assert_eq!(envelope.len(), 1024);
    let before = bob.to_bytes();
    for len in 0..envelope.len() {
        let expected = if len == 512 { OpenError::Crypto } else { OpenError::Malformed };
        assert_eq!(bob.open(&envelope[..len], NOW, &mut rng).unwrap_err(), expected, "{len} bytes");
    }
    for len in [1025, 2047, HARD_MAX + 1, 2 * HARD_MAX] {
        let mut long = envelope.clone();
        long.resize(len, 0);
        assert_eq!(bob.open(&long, NOW, &mut rng).unwrap_err(), OpenError::Malformed, "{len} bytes");
    }
    assert_eq!(bob.to_bytes(), before);
    deliver(&mut bob, &envelope, &mut rng).unwrap();
}

#[test]
fn payloads_from_nothing_to_the_hard_limit_pass_and_one_more_does_not() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(27);
    for (limit, len) in [(512, 0), (512, 410), (DEFAULT_MAX, 411), (DEFAULT_MAX, 65_434), (HARD_MAX, 262_042)]
    {
        let payload = vec![0xa5; len];
        let envelope = alice.seal(Lane::Ordinary, &payload, limit, &mut rng).unwrap();
        assert!(envelope.len() <= limit);
        assert_eq!(deliver(&mut bob, &envelope, &mut rng).unwrap(), payload);
    }
    let before = alice.to_bytes();
    for limit in [0, 511, 512, 1000, DEFAULT_MAX, HARD_MAX, usize::MAX] {
        let max = max_payload(limit);
        let expected = SessionError::TooLarge { len: max + 1, max };
        let refused = alice.seal(Lane::Ordinary, &vec![0; max + 1], limit, &mut rng).unwrap_err();
        assert_eq!(refused, expected, "limit {limit}");
    }
    assert_eq!(alice.to_bytes(), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn junk_never_opens(
        bits in 9..13u32,
        seed: u64,
        head in prop::option::of(Just([1u8, 1])),
        cut in 0..4usize,
    ) {
        let (_, bob) = sessions(27);
        let mut rng = SeededRng::new(seed);
        let mut junk = vec![0; 1 << bits];
        rng.fill_bytes(&mut junk);
        if let Some(head) = head {
            junk[..2].copy_from_slice(&head);
        }
        junk.truncate(junk.len() - cut);
        let error = bob.open(&junk, NOW, &mut rng).unwrap_err();
        prop_assert!(matches!(error, OpenError::Malformed | OpenError::Unopenable));
        prop_assert!(head.is_none() || cut > 0 || error == OpenError::Unopenable);
    }

    #[test]
    fn stored_bytes_are_read_back_exactly_or_refused(
        seed: u64,
        junk in prop::collection::vec(any::<u8>(), 0..600),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut alice, mut bob) = sessions(seed);
        let mut rng = SeededRng::new(seed);
        for payload in [b"one", b"two"] {
            alice.seal(Lane::Ordinary, b"lost", DEFAULT_MAX, &mut rng).unwrap();
            let there = alice.seal(Lane::Ordinary, payload, DEFAULT_MAX, &mut rng).unwrap();
            deliver(&mut bob, &there, &mut rng).unwrap();
            let back = bob.seal(Lane::Ordinary, payload, DEFAULT_MAX, &mut rng).unwrap();
            deliver(&mut alice, &back, &mut rng).unwrap();
        }
        let good = bob.to_bytes();
        prop_assert!(Session::from_bytes(&good[..cut.index(good.len())]).is_err());
        prop_assert!(Session::from_bytes(&[&good[..], &[0]].concat()).is_err());
        let mut changed = good.to_vec();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        for bytes in [junk, changed] {
            if let Ok(session) = Session::from_bytes(&bytes) {
                prop_assert_eq!(&session.to_bytes()[..], &bytes[..]);
            }
        }
    }
}

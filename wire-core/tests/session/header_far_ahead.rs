//! Attack test 19: the peer itself is malicious and names a message number, or a length of its
//! previous chain, that would cost the receiver billions of derivations. What it costs is counted.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{Forged, NOW, SeededRng, chain_steps, copy, deliver, forge, sessions};

/// The answer, and how many message keys were derived for it.
fn cost(receiver: &Session, envelope: &[u8]) -> (Result<(), OpenError>, u64) {
    let (before, state) = (chain_steps(), receiver.to_bytes());
    let result = receiver.open(envelope, NOW, &mut SeededRng::new(0)).map(|_| ());
    assert_eq!(receiver.to_bytes(), state);
    (result, chain_steps() - before)
}

fn number(n: u32) -> Forged {
    Forged { n: Some(n), ..Forged::default() }
}

#[test]
fn a_number_too_far_ahead_costs_nothing() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(19);
    for start_of_chain in [true, false] {
        for n in [u32::MAX, u32::MAX - 1, 1 << 31, 1_000_000] {
            let bad = forge(&mut copy(&alice), number(n), b"far", &mut rng);
            assert_eq!(cost(&bob, &bad), (Err(OpenError::TooFarAhead), 0), "n {n}");
        }
        if start_of_chain {
            let first = forge(&mut alice, Forged::default(), b"first", &mut rng);
            deliver(&mut bob, &first, &mut rng).unwrap();
        }
    }
}

#[test]
fn the_bound_is_two_thousand_from_the_next_expected() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(19);
    let far = forge(&mut copy(&alice), number(2001), b"far", &mut rng);
    assert_eq!(cost(&bob, &far), (Err(OpenError::TooFarAhead), 0));
    let near = forge(&mut alice, number(2000), b"near", &mut rng);
    // 2,000 skipped, its own, and nothing for this side's next chain until it seals
    assert_eq!(cost(&bob, &near), (Ok(()), 2001));
    deliver(&mut bob, &near, &mut rng).unwrap();
    let far = forge(&mut copy(&alice), number(4002), b"far", &mut rng);
    assert_eq!(cost(&bob, &far), (Err(OpenError::TooFarAhead), 0));
    let near = forge(&mut alice, number(4001), b"near", &mut rng);
    assert_eq!(cost(&bob, &near), (Ok(()), 2001));
}

#[test]
fn a_previous_chain_too_long_costs_nothing() {
    let mut rng = SeededRng::new(3);
    let (mut alice, mut bob) = sessions(19);
    let first = alice.seal(Lane::Ordinary, b"first", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut bob, &first, &mut rng).unwrap();
    let answer = bob.seal(Lane::Ordinary, b"answer", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut alice, &answer, &mut rng).unwrap();
    for pn in [u32::MAX, u32::MAX - 1, 2002] {
        let bad = forge(&mut copy(&alice), Forged { pn: Some(pn), ..Forged::default() }, b"far", &mut rng);
        assert_eq!(cost(&bob, &bad), (Err(OpenError::TooFarAhead), 0), "pn {pn}");
    }
    // both at their bound: the most that one envelope can ask for
    let most = Forged { pn: Some(2001), n: Some(2000), dh: None };
    let worst = forge(&mut alice, most, b"worst", &mut rng);
    assert_eq!(cost(&bob, &worst), (Ok(()), 4001));
    deliver(&mut bob, &worst, &mut rng).unwrap();
    assert!(bob.to_bytes().len() < 100_000);
}

#[test]
fn an_outsider_cannot_ask_for_any_work() {
    let mut rng = SeededRng::new(4);
    let (_, bob) = sessions(19);
    let (mut stranger, _) = sessions(20);
    let bad = forge(&mut stranger, number(2000), b"far", &mut rng);
    assert_eq!(cost(&bob, &bad), (Err(OpenError::Unopenable), 0));
}

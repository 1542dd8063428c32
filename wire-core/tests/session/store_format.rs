//! The stored form of a session: small, growing by 20 bytes a message, the same whenever it is
//! written, and refused when it is not what a session writes.

use wire_core::encoding::Malformed;
use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, Session};
use wire_core::testing::{SeededRng, copy, deliver, sessions};

#[test]
fn a_fresh_session_is_small_and_grows_by_twenty_bytes_a_message() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(1);
    assert_eq!((alice.to_bytes().len(), bob.to_bytes().len()), (379, 275));
    let mut before = 379;
    for _ in 0..100 {
        let envelope = alice.seal(Lane::Ordinary, b"x", DEFAULT_MAX, &mut rng).unwrap();
        deliver(&mut bob, &envelope, &mut rng).unwrap();
        assert_eq!(bob.to_bytes().len(), before + 20);
        before += 20;
    }
    // a closed chain costs 48 bytes beside its messages, a missing message 44
    alice.seal(Lane::Ordinary, b"lost", DEFAULT_MAX, &mut rng).unwrap();
    let answer = bob.seal(Lane::Ordinary, b"y", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut alice, &answer, &mut rng).unwrap();
    let envelope = alice.seal(Lane::Ordinary, b"z", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut bob, &envelope, &mut rng).unwrap();
    assert_eq!(bob.to_bytes().len(), before + 20 + 48 + 44);
}

#[test]
fn a_restart_after_every_step_makes_no_difference() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(2);
    let (mut alice2, mut bob2) = sessions(2);
    let mut held = Vec::new();
    for i in 0..60u32 {
        let (from, to, from2, to2) = if i % 7 < 4 {
            (&mut alice, &mut bob, &mut alice2, &mut bob2)
        } else {
            (&mut bob, &mut alice, &mut bob2, &mut alice2)
        };
        let mut rng2 = rng.clone();
        let envelope = from.seal(Lane::Ordinary, &i.to_be_bytes(), DEFAULT_MAX, &mut rng).unwrap();
        *from2 = copy(from2);
        assert_eq!(from2.seal(Lane::Ordinary, &i.to_be_bytes(), DEFAULT_MAX, &mut rng2).unwrap(), envelope);
        if i % 5 == 0 {
            held.push((i % 7 < 4, envelope));
            continue;
        }
        *to2 = copy(to2);
        deliver(to, &envelope, &mut rng).unwrap();
        deliver(to2, &envelope, &mut rng2).unwrap();
        assert_eq!(to.to_bytes(), to2.to_bytes());
    }
    assert!(held.iter().any(|(to_bob, _)| *to_bob) && held.iter().any(|(to_bob, _)| !to_bob));
    for (to_bob, envelope) in held.iter().rev().take(4) {
        let (one, two) = if *to_bob { (&mut bob, &mut bob2) } else { (&mut alice, &mut alice2) };
        let mut rng2 = rng.clone();
        assert_eq!(deliver(one, envelope, &mut rng), deliver(two, envelope, &mut rng2));
        assert_eq!(one.to_bytes(), two.to_bytes());
    }
}

#[test]
fn another_version_and_impossible_states_are_refused() {
    let (alice, bob) = sessions(3);
    // where the byte lies that says whether there is a receiving chain
    let has_recv = 273;
    for session in [&alice, &bob] {
        let good = session.to_bytes();
        for (at, byte) in [(0, 0), (0, 2), (has_recv, 2), (has_recv, good[has_recv] ^ 1)] {
            let mut bad = good.to_vec();
            bad[at] = byte;
            assert_eq!(Session::from_bytes(&bad).unwrap_err(), Malformed, "byte {at} = {byte}");
        }
    }
    assert_eq!(Session::from_bytes(&[]).unwrap_err(), Malformed);
}

#[test]
fn nothing_secret_is_shown() {
    let (alice, _) = sessions(4);
    assert_eq!(format!("{alice:?}"), format!("Session {{ id: {:?}, .. }}", alice.id()));
}

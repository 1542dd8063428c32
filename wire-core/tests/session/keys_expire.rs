//! Thirty days pass: keys of messages that never came, and the chains before the current one, are
//! erased, and no later.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, SessionError};
use wire_core::testing::{NOW, SeededRng, copy, sessions};

const DAY: u64 = 24 * 3600 * 1000;

#[test]
fn keys_are_erased_after_thirty_days() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(1);
    let mut seal = |from: &mut wire_core::session::Session| {
        from.seal(Lane::Ordinary, b"x", DEFAULT_MAX, &mut rng).unwrap()
    };
    let mut rng = SeededRng::new(2);
    let early = seal(&mut alice);
    let second = seal(&mut alice);
    let opened = bob.open(&second, NOW, &mut rng).unwrap();
    bob.commit(opened.step).unwrap();
    let late = seal(&mut alice);
    let answer = seal(&mut bob);
    let opened = alice.open(&answer, NOW, &mut rng).unwrap();
    alice.commit(opened.step).unwrap();
    // ten days later the next chain shows that `late` is missing
    let next = seal(&mut alice);
    let opened = bob.open(&next, NOW.plus_millis(10 * DAY), &mut rng).unwrap();
    bob.commit(opened.step).unwrap();

    let all_kept = copy(&bob).to_bytes();
    bob.expire(NOW.plus_millis(30 * DAY));
    assert_eq!(bob.to_bytes(), all_kept);

    bob.expire(NOW.plus_millis(30 * DAY + 1));
    assert_eq!(bob.open(&early, NOW, &mut rng).unwrap_err(), OpenError::Unopenable);
    assert!(bob.open(&late, NOW, &mut rng).is_ok());
    assert_eq!(bob.open(&second, NOW, &mut rng).unwrap_err(), OpenError::Replayed);

    bob.expire(NOW.plus_millis(40 * DAY + 1));
    for envelope in [&early, &second, &late] {
        assert_eq!(bob.open(envelope, NOW, &mut rng).unwrap_err(), OpenError::Unopenable);
    }
    // the current chain has no age
    assert_eq!(bob.open(&next, NOW, &mut rng).unwrap_err(), OpenError::Replayed);
    assert!(bob.open(&seal(&mut alice), NOW, &mut rng).is_ok());
    let (_, fresh) = sessions(1);
    assert!(bob.to_bytes().len() < fresh.to_bytes().len() + 150);
}

/// What was opened with a key that is erased meanwhile would bring it back.
#[test]
fn a_step_from_before_keys_were_erased_is_stale() {
    let (mut alice, mut bob) = sessions(1);
    let rng = &mut SeededRng::new(1);
    let [early, second] = [(); 2].map(|()| alice.seal(Lane::Ordinary, b"x", DEFAULT_MAX, rng).unwrap());
    let opened = bob.open(&second, NOW, rng).unwrap();
    assert_eq!((opened.step.number(), opened.step.turns()), (1, true));
    bob.commit(opened.step).unwrap();

    let opened = bob.open(&early, NOW, rng).unwrap();
    assert_eq!((opened.step.number(), opened.step.turns()), (0, false));
    assert_eq!(format!("{:?}", opened.step), format!("Step {{ session: {:?}, .. }}", bob.id()));
    bob.expire(NOW.plus_millis(30 * DAY + 1));
    assert_eq!(bob.commit(opened.step), Err(SessionError::StaleStep));
    assert_eq!(bob.open(&early, NOW, rng).unwrap_err(), OpenError::Unopenable);
}

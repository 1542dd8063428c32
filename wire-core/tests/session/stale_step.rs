//! A step is committed to another state than the one that it was made from: it is refused and the
//! state is what it was.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, SessionError, Step};
use wire_core::testing::{NOW, SeededRng, copy, deliver, sessions};

#[test]
fn a_step_fits_only_the_state_that_it_was_made_from() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(1);
    let one = alice.seal(Lane::Ordinary, b"one", DEFAULT_MAX, &mut rng).unwrap();
    let two = alice.seal(Lane::Ordinary, b"two", DEFAULT_MAX, &mut rng).unwrap();
    let refused = |bob: &mut wire_core::session::Session, step: Step| {
        let before = bob.to_bytes();
        assert_eq!(bob.commit(step), Err(SessionError::StaleStep));
        assert_eq!(bob.to_bytes(), before);
    };

    // after another step, and the same envelope opened twice
    let first = bob.open(&one, NOW, &mut rng).unwrap();
    let again = bob.open(&one, NOW, &mut rng).unwrap();
    let other = bob.open(&two, NOW, &mut rng).unwrap();
    bob.commit(first.step).unwrap();
    refused(&mut bob, again.step);
    refused(&mut bob, other.step);

    // after sealing, which decides how long the chain was that a turn ends
    let opened = bob.open(&two, NOW, &mut rng).unwrap();
    bob.seal(Lane::Ordinary, b"answer", DEFAULT_MAX, &mut rng).unwrap();
    refused(&mut bob, opened.step);

    // across a restart
    let opened = bob.open(&two, NOW, &mut rng).unwrap();
    let mut restarted = copy(&bob);
    restarted.seal(Lane::Ordinary, b"more", DEFAULT_MAX, &mut rng).unwrap();
    let mut restarted = copy(&restarted);
    refused(&mut restarted, opened.step);

    // of another session in the same state of its life
    let (mut other_alice, _) = sessions(2);
    let (_, mut fresh) = sessions(1);
    let (_, other_bob) = sessions(2);
    let foreign = other_alice.seal(Lane::Ordinary, b"one", DEFAULT_MAX, &mut rng).unwrap();
    let foreign = other_bob.open(&foreign, NOW, &mut rng).unwrap();
    refused(&mut fresh, foreign.step);

    assert_eq!(deliver(&mut bob, &two, &mut rng).unwrap(), b"two");
}

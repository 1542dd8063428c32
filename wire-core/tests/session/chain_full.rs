//! The peer does not answer: a sender stops at 1,500 messages, has 100 more for what may get the
//! conversation moving, and all of its room again after one answer.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, SessionError};
use wire_core::testing::{SeededRng, deliver, sessions};

#[test]
fn a_sender_without_an_answer_stops_before_the_receiver_has_to() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(1);
    let mut last = Vec::new();
    for left in (0..1500).rev() {
        last = alice.seal(Lane::Ordinary, b"x", DEFAULT_MAX, &mut rng).unwrap();
        assert_eq!((alice.room(Lane::Ordinary), alice.room(Lane::Reserved)), (left, left + 100));
    }
    let before = alice.to_bytes();
    let full = alice.seal(Lane::Ordinary, b"x", DEFAULT_MAX, &mut rng).unwrap_err();
    assert_eq!(full, SessionError::ChainFull);
    assert_eq!(alice.to_bytes(), before);

    for _ in 0..100 {
        last = alice.seal(Lane::Reserved, b"x", DEFAULT_MAX, &mut rng).unwrap();
    }
    let full = alice.seal(Lane::Reserved, b"x", DEFAULT_MAX, &mut rng).unwrap_err();
    assert_eq!(full, SessionError::ChainFull);

    // The one-way relay lets only the very last through, and that is enough.
    assert_eq!(deliver(&mut bob, &last, &mut rng).unwrap(), b"x");
    let answer = bob.seal(Lane::Ordinary, b"y", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut alice, &answer, &mut rng).unwrap();
    assert_eq!((alice.room(Lane::Ordinary), alice.room(Lane::Reserved)), (1500, 1600));
}

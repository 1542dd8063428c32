//! Attack test 23: an agent's state is copied or restored from an old backup, random generator and
//! all. No nonce serves two messages, the peer notices, and a relay cannot feign it.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{NOW, SeededRng, copy, deliver, sessions};

fn seal(session: &mut Session, payload: &[u8], rng: &mut SeededRng) -> Vec<u8> {
    session.seal(Lane::Ordinary, payload, DEFAULT_MAX, rng).unwrap()
}

fn refused(receiver: &Session, envelope: &[u8], expected: OpenError) {
    let before = receiver.to_bytes();
    assert_eq!(receiver.open(envelope, NOW, &mut SeededRng::new(0)).unwrap_err(), expected);
    assert_eq!(receiver.to_bytes(), before);
}

fn nonce(envelope: &[u8]) -> &[u8] {
    &envelope[2..26]
}

#[test]
fn a_cloned_machine_reuses_no_nonce_and_the_peer_notices() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(23);
    let mut clone = copy(&alice);
    let mut cloned_rng = rng.clone();

    let one = seal(&mut alice, b"pay 10", &mut rng);
    let two = seal(&mut clone, b"pay 99", &mut cloned_rng);
    assert_ne!(nonce(&one), nonce(&two));
    deliver(&mut bob, &one, &mut SeededRng::new(9)).unwrap();
    refused(&bob, &two, OpenError::CloneDetected);

    // What is equal in everything is one message, not two.
    let mut third = copy(&alice);
    let mut third_rng = rng.clone();
    assert_eq!(seal(&mut alice, b"same", &mut rng), seal(&mut third, b"same", &mut third_rng));
}

#[test]
fn a_restored_sender_is_noticed_in_the_same_chain() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(23);
    let backup = copy(&alice);
    for i in 0..3u8 {
        let envelope = seal(&mut alice, &[i], &mut rng);
        deliver(&mut bob, &envelope, &mut rng).unwrap();
    }
    let mut restored = backup;
    for _ in 0..3 {
        // the same words again are a new message all the same
        let again = seal(&mut restored, &[0], &mut rng);
        refused(&bob, &again, OpenError::CloneDetected);
    }
}

#[test]
fn a_restored_sender_is_noticed_in_a_closed_chain_and_past_its_end() {
    let mut rng = SeededRng::new(3);
    let (mut alice, mut bob) = sessions(23);
    let mut backup = copy(&alice);
    deliver(&mut bob, &seal(&mut alice, b"0", &mut rng), &mut rng).unwrap();
    deliver(&mut alice, &seal(&mut bob, b"answer", &mut rng), &mut rng).unwrap();
    deliver(&mut bob, &seal(&mut alice, b"next chain", &mut rng), &mut rng).unwrap();
    for _ in 0..2 {
        let again = seal(&mut backup, b"after the restore", &mut rng);
        refused(&bob, &again, OpenError::CloneDetected);
    }
}

#[test]
fn a_restored_sender_is_noticed_by_the_length_of_its_chain() {
    let mut rng = SeededRng::new(4);
    let (mut alice, mut bob) = sessions(23);
    deliver(&mut bob, &seal(&mut alice, b"0", &mut rng), &mut rng).unwrap();
    let mut backup = copy(&alice);
    deliver(&mut bob, &seal(&mut alice, b"1", &mut rng), &mut rng).unwrap();
    let answer = seal(&mut bob, b"answer", &mut rng);
    deliver(&mut backup, &answer, &mut rng).unwrap();
    refused(&bob, &seal(&mut backup, b"forgot one", &mut rng), OpenError::CloneDetected);
    deliver(&mut alice, &answer, &mut rng).unwrap();
    deliver(&mut bob, &seal(&mut alice, b"forgot none", &mut rng), &mut rng).unwrap();
}

#[test]
fn a_restored_receiver_opens_again_what_it_has_forgotten() {
    let mut rng = SeededRng::new(5);
    let (mut alice, mut bob) = sessions(23);
    let backup = copy(&bob);
    let envelope = seal(&mut alice, b"hello", &mut rng);
    deliver(&mut bob, &envelope, &mut rng).unwrap();
    let mut restored = backup;
    assert_eq!(deliver(&mut restored, &envelope, &mut rng).unwrap(), b"hello");
}

#[test]
fn a_relay_cannot_raise_the_alarm_with_what_was_delivered() {
    let mut rng = SeededRng::new(6);
    let (mut alice, mut bob) = sessions(23);
    let current = seal(&mut alice, b"first", &mut rng);
    deliver(&mut bob, &current, &mut rng).unwrap();
    for closed in [false, true] {
        if closed {
            deliver(&mut alice, &seal(&mut bob, b"answer", &mut rng), &mut rng).unwrap();
            deliver(&mut bob, &seal(&mut alice, b"next chain", &mut rng), &mut rng).unwrap();
        }
        let before = bob.to_bytes();
        for bit in 0..current.len() * 8 {
            let mut bad = current.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0..2 => OpenError::Malformed,
                2..82 => OpenError::Unopenable,
                _ => OpenError::TamperedDuplicate,
            };
            assert_eq!(bob.open(&bad, NOW, &mut rng).unwrap_err(), expected, "bit {bit}");
        }
        assert_eq!(bob.to_bytes(), before);
        refused(&bob, &current, OpenError::Replayed);
    }
}

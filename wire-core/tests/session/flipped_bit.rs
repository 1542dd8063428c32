//! Attack test 16: a relay flips one bit of an envelope. Whichever it is, the envelope does not
//! open, the session is what it was, and the unchanged envelope still opens.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{NOW, SeededRng, deliver, sessions};

fn no_flip_opens(receiver: &mut Session, envelope: &[u8], payload: &[u8]) {
    let mut rng = SeededRng::new(16);
    let before = receiver.to_bytes();
    for bit in 0..envelope.len() * 8 {
        let mut bad = envelope.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0..2 => OpenError::Malformed,
            2..82 => OpenError::Unopenable,
            _ => OpenError::Crypto,
        };
        assert_eq!(receiver.open(&bad, NOW, &mut rng).unwrap_err(), expected, "bit {bit}");
    }
    assert_eq!(receiver.to_bytes(), before);
    assert_eq!(deliver(receiver, envelope, &mut rng).unwrap(), payload);
}

#[test]
fn a_flipped_bit_changes_nothing() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(16);
    let [first, kept, ahead] = [b"starts a chain", b"comes too late", b"comes in order"]
        .map(|p: &[u8; 14]| alice.seal(Lane::Ordinary, p, DEFAULT_MAX, &mut rng).unwrap());
    no_flip_opens(&mut bob, &first, b"starts a chain");
    no_flip_opens(&mut bob, &ahead, b"comes in order");
    no_flip_opens(&mut bob, &kept, b"comes too late");
    let late = alice.seal(Lane::Ordinary, b"of a closed chain", DEFAULT_MAX, &mut rng).unwrap();
    let answer = bob.seal(Lane::Ordinary, b"answer", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut alice, &answer, &mut rng).unwrap();
    let next = alice.seal(Lane::Ordinary, b"next chain", DEFAULT_MAX, &mut rng).unwrap();
    deliver(&mut bob, &next, &mut rng).unwrap();
    no_flip_opens(&mut bob, &late, b"of a closed chain");
}

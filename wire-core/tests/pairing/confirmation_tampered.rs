//! Attack 10: the tag of M3 or M4 is flipped, a message comes in the place of another, or a peer
//! that knows the code uses the labels or keys of the other role.

use crate::support::model::{self, ModelA, Offer, Side};
use crate::support::{CODE, Party, SeededRng, context, flip, invite, run, words};
use wire_core::pairing::{AwaitingConfirmation, Initiator, PairingError, Responder};

const PRS: &str = "canyon-velvet-oyster";

#[test]
fn a_flipped_tag_of_m3_or_m4() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let (b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
    let stored_b = b.to_bytes().unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let stored_a = a.to_bytes().unwrap();
    let (_, m4) = b.receive_m3(&m3, bob.identity.root()).unwrap().confirm(bob.offer(), rng).unwrap();
    for at in 0..64 {
        let b = Responder::from_bytes(&stored_b).unwrap();
        let result = b.receive_m3(&flip(&m3, at), bob.identity.root());
        assert_eq!(result.err(), Some(PairingError::Failed));
        let a = AwaitingConfirmation::from_bytes(&stored_a).unwrap();
        assert_eq!(a.receive_m4(&flip(&m4, at), rng).err(), Some(PairingError::Failed));
    }
}

/// M4 is bound to M3: under the same keys, one for another M3 of the same A does not fit.
#[test]
fn an_m4_that_answers_another_m3() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let (b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
    let (stored_a, stored_b) = (a.to_bytes().unwrap(), b.to_bytes().unwrap());
    let mut offered = || {
        let a = Initiator::from_bytes(&stored_a).unwrap().receive_m2(&m2).unwrap();
        let (a, m3) = a.offer(alice.offer(), rng).unwrap();
        let b = Responder::from_bytes(&stored_b).unwrap().receive_m3(&m3, bob.identity.root()).unwrap();
        (a, b.confirm(bob.offer(), rng).unwrap().1)
    };
    let ((one, m4), (two, other_m4)) = (offered(), offered());
    assert_eq!(one.receive_m4(&other_m4, rng).err(), Some(PairingError::Failed));
    assert!(two.receive_m4(&other_m4, rng).is_ok());
    assert_ne!(m4, other_m4);
}

#[test]
fn a_message_in_the_place_of_another() {
    let rng = &mut SeededRng::new(3);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let old = run(&words(CODE), &context(), (&alice, &bob), rng).unwrap();
    for (i, message) in old.wire.iter().enumerate() {
        // M4 before M3, and every other mistake that the types still allow
        if i != 0 {
            assert!(Responder::respond(&words(CODE), context(), message, rng).is_err());
        }
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        if i != 1 {
            assert!(a.receive_m2(message).is_err());
        }
        let (b, _) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
        assert!(b.receive_m3(message, bob.identity.root()).is_err());
    }
}

/// Each label alone is enough to refuse: in the tag, in the box, in the signature; and so are B's
/// keys in A's message.
#[test]
fn swapped_role_labels() {
    let rng = &mut SeededRng::new(4);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let honest = Side::a();
    for (side, signed_as, accepted) in [
        (honest.clone(), b"A", true),
        (Side { mac_label: b"B", ..honest.clone() }, b"A", false),
        (Side { aad_label: b"B", ..honest.clone() }, b"A", false),
        (Side { keys_of_a: false, ..honest.clone() }, b"A", false),
        (honest, b"B", false),
    ] {
        let a = ModelA::start(PRS, rng);
        let (b, m2) = Responder::respond(&words(CODE), context(), &a.m1, rng).unwrap();
        let book = a.finish(&m2);
        let body = Offer::of(&alice, rng).body();
        let signature = model::sign(&alice.identity, signed_as, &book.th, &body, b"");
        let m3 = book.seal(&side, &model::pad(&body, &signature), rng);
        let error = b.receive_m3(&m3, bob.identity.root()).err();
        assert_eq!(error, if accepted { None } else { Some(PairingError::Failed) });
    }
}

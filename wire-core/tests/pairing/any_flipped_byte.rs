//! A bit of each byte of each message is flipped on its way. No run with a changed message ends in a
//! pairing on the side that got it, nor on the other.

use crate::support::{Party, SeededRng, flip, invite};
use wire_core::pairing::{AwaitingConfirmation, Initiator, Responder};

#[test]
fn no_changed_message_is_accepted() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let own = bob.identity.root();
    let (secret, context) = invite();
    // An invite can be stored, so that each change meets the same state.
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let a_stored = a.to_bytes().unwrap();
    let (b, m2) = Responder::respond(&secret, context.clone(), &m1, rng).unwrap();
    let b_stored = b.to_bytes().unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let awaiting_stored = a.to_bytes().unwrap();
    let (_, m4) = b.receive_m3(&m3, own).unwrap().confirm(bob.offer(), rng).unwrap();

    let restore = || Initiator::from_bytes(&a_stored).unwrap();
    for at in (0..m1.len()).step_by(3) {
        let Ok((b, m2)) = Responder::respond(&secret, context.clone(), &flip(&m1, at), rng) else {
            continue;
        };
        let (_, m3) = restore().receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
        assert!(b.receive_m3(&m3, own).is_err(), "M1 byte {at}");
    }
    for at in (0..m2.len()).step_by(3) {
        let Ok(keyed) = restore().receive_m2(&flip(&m2, at)) else { continue };
        let (a, m3) = keyed.offer(alice.offer(), rng).unwrap();
        let b = Responder::from_bytes(&b_stored).unwrap();
        assert!(b.receive_m3(&m3, own).is_err(), "M2 byte {at}");
        assert!(a.receive_m4(&m4, rng).is_err(), "M2 byte {at}");
    }
    for at in 0..m3.len() {
        let b = Responder::from_bytes(&b_stored).unwrap();
        assert!(b.receive_m3(&flip(&m3, at), own).is_err(), "M3 byte {at}");
        let a = AwaitingConfirmation::from_bytes(&awaiting_stored).unwrap();
        assert!(a.receive_m4(&flip(&m4, at), rng).is_err(), "M4 byte {at}");
    }
}

//! Attack 12, inside the core: a process dies after each step. A typed code dies with it, because
//! there is nothing to store, until B has M4, which it repeats byte for byte. An invite goes on from
//! what was stored, with one M2 ever.

use crate::support::{CODE, Party, SeededRng, context, invite, words};
use wire_core::pairing::{AwaitingConfirmation, Initiator, PairingError, Responder};

#[test]
fn a_typed_code_leaves_nothing_to_go_on_from() {
    let rng = &mut SeededRng::new(1);
    let alice = Party::new("alice", rng);
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    assert_eq!(a.to_bytes().unwrap_err(), PairingError::NotDurable);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    assert_eq!(b.to_bytes().unwrap_err(), PairingError::NotDurable);
    let (a, _) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    assert_eq!(a.to_bytes().unwrap_err(), PairingError::NotDurable);
}

/// B died before its commit and starts anew with the code: its new keys do not fit A's M3, and the
/// write-once M2 is another. Both sides are done with the code.
#[test]
fn a_typed_code_is_dead_before_b_commits() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    drop(b);
    let (b, other_m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    assert_ne!(m2, other_m2);
    assert_eq!(b.receive_m3(&m3, bob.identity.root()).err(), Some(PairingError::Failed));
    drop(a);
}

/// After B's commit the bytes of M4 are all that A needs, however often they are posted.
#[test]
fn a_typed_code_completes_after_b_committed() {
    let rng = &mut SeededRng::new(3);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let (b, m4) = b.receive_m3(&m3, bob.identity.root()).unwrap().confirm(bob.offer(), rng).unwrap();
    let committed = (b.session.id(), m4);
    let a = a.receive_m4(&committed.1, rng).unwrap();
    assert_eq!(a.session.id(), committed.0);
}

/// Every combination of crashes of an invite: after M1, after M2, after M3.
#[test]
fn an_invite_survives_a_crash_after_every_step() {
    let rng = &mut SeededRng::new(4);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    for crashes in 0u8..8 {
        let (secret, context) = invite();
        let (mut a, m1) = Initiator::start(&secret, context.clone(), rng);
        if crashes & 1 != 0 {
            a = Initiator::from_bytes(&a.to_bytes().unwrap()).unwrap();
            assert_eq!(a.m1(), m1, "what is posted again is what was posted");
        }
        let (mut b, m2) = Responder::respond(&secret, context, &m1, rng).unwrap();
        drop(secret);
        if crashes & 2 != 0 {
            b = Responder::from_bytes(&b.to_bytes().unwrap()).unwrap();
        }
        let (mut a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
        if crashes & 4 != 0 {
            a = AwaitingConfirmation::from_bytes(&a.to_bytes().unwrap()).unwrap();
        }
        let (b, m4) = b.receive_m3(&m3, bob.identity.root()).unwrap().confirm(bob.offer(), rng).unwrap();
        let a = a.receive_m4(&m4, rng).unwrap();
        assert_eq!(a.session.id(), b.session.id());
        assert_eq!(a.peer.root(), bob.identity.root());
        assert_eq!(b.peer.root(), alice.identity.root());
        assert_eq!((a.sas, a.reset_keys.own), (b.sas, b.reset_keys.peer));
    }
}

/// A stored state is no second chance: what fails for the live one fails for its copy.
#[test]
fn a_restored_invite_takes_no_other_peer() {
    let rng = &mut SeededRng::new(5);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let (secret, context) = invite();
    let (a, m1) = Initiator::start(&secret, context.clone(), rng);
    let (_, m2) = Responder::respond(&secret, context.clone(), &m1, rng).unwrap();
    let (late, _) = Responder::respond(&secret, context, &m1, rng).unwrap();
    let (a, m3) = a.receive_m2(&m2).unwrap().offer(alice.offer(), rng).unwrap();
    let stored = a.to_bytes().unwrap();
    assert!(late.receive_m3(&m3, bob.identity.root()).is_err());
    let a = AwaitingConfirmation::from_bytes(&stored).unwrap();
    assert_eq!(a.receive_m4(&m3, rng).err(), Some(PairingError::Failed));
}

//! Attack 4: each message of an old run comes again, in a new run of the same two agents by the very
//! same code.

use crate::support::{CODE, Party, Run, SeededRng, context, run, words};
use wire_core::pairing::{Initiator, PairingError, Responder};

fn setup() -> (SeededRng, Party, Party, Run) {
    let mut rng = SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", &mut rng), Party::new("bob", &mut rng));
    let old = run(&words(CODE), &context(), (&alice, &bob), &mut rng).unwrap();
    (rng, alice, bob, old)
}

#[test]
fn m1_and_m3_to_b() {
    let (mut rng, _, bob, old) = setup();
    let (b, _) = Responder::respond(&words(CODE), context(), &old.wire[0], &mut rng).unwrap();
    assert_eq!(b.receive_m3(&old.wire[2], bob.identity.root()).unwrap_err(), PairingError::Failed);
}

#[test]
fn m2_and_m4_to_a() {
    let (mut rng, alice, _, old) = setup();
    let (a, _) = Initiator::start(&words(CODE), context(), &mut rng);
    let keyed = a.receive_m2(&old.wire[1]).unwrap();
    let (a, _) = keyed.offer(alice.offer(), &mut rng).unwrap();
    assert_eq!(a.receive_m4(&old.wire[3], &mut rng).unwrap_err(), PairingError::Failed);
}

#[test]
fn m3_alone_to_b() {
    let (mut rng, _, bob, old) = setup();
    let (_, m1) = Initiator::start(&words(CODE), context(), &mut rng);
    let (b, _) = Responder::respond(&words(CODE), context(), &m1, &mut rng).unwrap();
    assert_eq!(b.receive_m3(&old.wire[2], bob.identity.root()).unwrap_err(), PairingError::Failed);
}

#[test]
fn m4_alone_to_a() {
    let (mut rng, alice, _, old) = setup();
    let (a, m1) = Initiator::start(&words(CODE), context(), &mut rng);
    let (_, m2) = Responder::respond(&words(CODE), context(), &m1, &mut rng).unwrap();
    let (a, _) = a.receive_m2(&m2).unwrap().offer(alice.offer(), &mut rng).unwrap();
    assert_eq!(a.receive_m4(&old.wire[3], &mut rng).unwrap_err(), PairingError::Failed);
}

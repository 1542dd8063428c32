//! The ratchet: its stored state, and one envelope after the other.

use std::sync::LazyLock;

use super::accept;
use super::input::Input;
use super::world::{NOW, RUN};
use crate::envelope::DEFAULT_MAX;
use crate::pairing::{AwaitingConfirmation, Initiator, Responder};
use crate::session::{Lane, OpenError, Session};
use crate::testing::{Forged, SeededRng, chain_steps, copy, deliver, forge, sessions};

/// Message keys that opening one envelope may derive: twice as far as a header may point, and its own.
const MAX_STEPS: u64 = 2 * 2000 + 1;
/// Forged headers in one input.
const MAX_FORGED: usize = 4;
/// How far ahead they point, at most: further off nothing is derived.
const FURTHEST: u32 = 4096;

/// A conversation in which Alice has turned once, and Bob is yet to open some of hers.
pub(super) struct Talk {
    pub(super) alice: Vec<u8>,
    pub(super) bob: Vec<u8>,
    /// What Bob has opened, from both of Alice's chains.
    pub(super) opened: Vec<Vec<u8>>,
    /// What Bob can open: skipped in the closed chain, skipped in the present one, next in it.
    pub(super) waiting: Vec<Vec<u8>>,
}

pub(super) static TALK: LazyLock<Talk> = LazyLock::new(|| {
    let rng = &mut SeededRng::new(61);
    let (mut alice, mut bob) = sessions(60);
    let seal = |from: &mut Session, rng: &mut SeededRng, text: &[u8]| {
        from.seal(Lane::Ordinary, text, DEFAULT_MAX, rng).expect("room")
    };
    let first: Vec<_> = [&b"one"[..], b"two", b"three"].map(|t| seal(&mut alice, rng, t)).into();
    deliver(&mut bob, &first[2], rng).expect("honest");
    deliver(&mut bob, &first[0], rng).expect("honest");
    let answer = seal(&mut bob, rng, b"four");
    deliver(&mut alice, &answer, rng).expect("honest");
    let second: Vec<_> = [&b"five"[..], &[7; 500], b"seven"].map(|t| seal(&mut alice, rng, t)).into();
    deliver(&mut bob, &second[1], rng).expect("honest");
    let [a, b, c] = first.try_into().expect("three");
    let [d, e, f] = second.try_into().expect("three");
    Talk {
        alice: alice.to_bytes().to_vec(),
        bob: bob.to_bytes().to_vec(),
        opened: vec![a, c, e],
        waiting: vec![b, d, f],
    }
});

/// What is read from a store is written to it again as it was, whatever it holds, and can be used.
pub fn session_state(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.choice(8);
    let bytes = match kind {
        0..4 => input.rest().to_vec(),
        4 => input.edited(&TALK.bob),
        stored => input.edited(RUN.stored()[stored - 5]),
    };
    if let Ok(mut session) = Session::from_bytes(&bytes) {
        accept();
        assert_eq!(*session.to_bytes(), bytes);
        let rng = &mut SeededRng::new(62);
        for envelope in TALK.waiting.iter().chain(&TALK.opened) {
            drop(session.open(envelope, NOW, rng));
        }
        assert_eq!(*session.to_bytes(), bytes);
        let room = session.room(Lane::Ordinary);
        assert_eq!(session.seal(Lane::Ordinary, b"six", DEFAULT_MAX, rng).is_ok(), room > 0);
        session.expire(NOW);
        assert_eq!(*copy(&session).to_bytes(), *session.to_bytes());
    }
    if let Ok(a) = Initiator::from_bytes(&bytes) {
        accept();
        assert_eq!(a.to_bytes().expect("an invite").as_slice(), bytes);
    }
    if let Ok(b) = Responder::from_bytes(&bytes) {
        accept();
        assert_eq!(b.to_bytes().expect("an invite").as_slice(), bytes);
    }
    if let Ok(a) = AwaitingConfirmation::from_bytes(&bytes) {
        accept();
        assert_eq!(a.to_bytes().expect("an invite").as_slice(), bytes);
    }
}

/// Opens exactly what the peer sealed and was not opened before; whatever is refused leaves the state as it was,
/// and nothing that a relay can make raises the alarm. A peer with the keys makes no state that cannot be
/// stored, and no more work than the bound.
pub fn session_open(data: &[u8]) {
    let mut input = Input::new(data);
    let mut bob = Session::from_bytes(&TALK.bob).expect("what was stored");
    match input.choice(3) {
        0 => relayed(&mut bob, input.rest()),
        1 => {
            let all: Vec<_> = TALK.waiting.iter().chain(&TALK.opened).collect();
            let picked = all[input.choice(all.len())];
            relayed(&mut bob, &input.edited(picked));
        }
        _ => forged(&mut bob, &mut input),
    }
}

fn relayed(bob: &mut Session, envelope: &[u8]) {
    let rng = &mut SeededRng::new(63);
    let waiting = TALK.waiting.iter().any(|honest| honest == envelope);
    let result = open(bob, envelope, rng);
    assert_eq!(result.is_ok(), waiting, "{result:?}");
    match result {
        Ok(()) => {
            accept();
            assert_eq!(open(bob, envelope, rng), Err(OpenError::Replayed));
        }
        Err(error) => {
            assert_ne!(error, OpenError::CloneDetected, "a relay can raise the alarm");
            let replayed = TALK.opened.iter().any(|honest| honest == envelope);
            assert_eq!(error == OpenError::Replayed, replayed);
        }
    }
    // Nothing of that keeps the honest ones out.
    for honest in TALK.waiting.iter().filter(|honest| *honest != envelope) {
        assert_eq!(open(bob, honest, rng), Ok(()));
    }
}

/// Envelopes under headers of Alice's choice.
fn forged(bob: &mut Session, input: &mut Input<'_>) {
    let rng = &mut SeededRng::new(64);
    let mut alice = Session::from_bytes(&TALK.alice).expect("what was stored");
    for _ in 0..MAX_FORGED {
        if input.is_empty() {
            return;
        }
        let fields = input.u8();
        let number = |input: &mut Input<'_>| match input.u8() {
            0 => input.u32() | FURTHEST,
            _ => u32::from(input.u16()) % FURTHEST,
        };
        let header = Forged {
            dh: (fields & 1 == 1).then(|| input.array()),
            pn: (fields & 2 == 2).then(|| number(input)),
            n: (fields & 4 == 4).then(|| number(input)),
        };
        let envelope = forge(&mut alice, header, input.short(), rng);
        if open(bob, &envelope, rng).is_ok() {
            accept();
        }
    }
}

/// Opens and commits, with all that holds for anything that comes.
fn open(session: &mut Session, envelope: &[u8], rng: &mut SeededRng) -> Result<(), OpenError> {
    let (before, steps) = (session.to_bytes(), chain_steps());
    let result = session.open(envelope, NOW, rng);
    assert!(chain_steps() - steps <= MAX_STEPS, "{} keys for one envelope", chain_steps() - steps);
    assert_eq!(session.to_bytes(), before, "opening changed the session");
    session.commit(result?.step).expect("nothing lies between");
    let stored = session.to_bytes();
    assert_eq!(Session::from_bytes(&stored).expect("it can be stored").to_bytes(), stored);
    Ok(())
}

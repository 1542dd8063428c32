//! Two sessions that fit each other, and a way to break the sender's rules.

use std::cell::Cell;

use rand_core::CryptoRng;

use super::SeededRng;
use crate::crypto::dh::DhKeyPair;
use crate::session::{OpenError, Session, SessionId, SessionKeys};
use crate::time::Timestamp;

pub use crate::session::Forged;

/// The two sides of a session, the initiator first: the same for the same seed.
///
/// Drawn from [`SeededRng`] in this order: session id, root key, header key of the initiator, of
/// the responder, ratchet secret of the initiator, of the responder, the initiator's second.
#[expect(clippy::expect_used, reason = "a random ratchet key is not of low order")]
pub fn sessions(seed: u64) -> (Session, Session) {
    let mut rng = SeededRng::new(seed);
    let [id, rk0, hk_a, hk_b] = [(); 4].map(|()| {
        let mut bytes = [0u8; 32];
        rand_core::Rng::fill_bytes(&mut rng, &mut bytes);
        bytes
    });
    let id = SessionId::from_bytes(id);
    let dh_a = DhKeyPair::generate(&mut rng);
    let dh_b = DhKeyPair::generate(&mut rng);
    let (pub_a, pub_b) = (dh_a.public(), dh_b.public());
    let a = Session::initiator(id, SessionKeys::new(rk0, hk_a, hk_b), dh_a, pub_b, &mut rng);
    let b = Session::responder(id, SessionKeys::new(rk0, hk_a, hk_b), dh_b, pub_a);
    (a.expect("initiator"), b.expect("responder"))
}

/// The instant at which tests take place.
pub const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);

/// Opens at [`NOW`] and commits.
#[expect(clippy::expect_used, reason = "nothing lies between the two calls")]
pub fn deliver(
    session: &mut Session,
    envelope: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, OpenError> {
    let opened = session.open(envelope, NOW, rng)?;
    session.commit(opened.step).expect("fresh step");
    Ok(opened.payload.to_vec())
}

/// A second session with the same state, as a restored backup or a cloned machine has it.
#[expect(clippy::expect_used, reason = "a session reads what it wrote")]
pub fn copy(session: &Session) -> Session {
    Session::from_bytes(&session.to_bytes()).expect("own bytes")
}

/// Seals as a dishonest peer would: with header fields of its own choice and past all bounds.
pub fn forge(session: &mut Session, forged: Forged, payload: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    session.forge(forged, payload, rng)
}

/// How often this thread has derived a message key.
pub fn chain_steps() -> u64 {
    CHAIN_STEPS.get()
}

pub(crate) fn count_chain_step() {
    CHAIN_STEPS.set(CHAIN_STEPS.get() + 1);
}

thread_local! {
    static CHAIN_STEPS: Cell<u64> = const { Cell::new(0) };
}

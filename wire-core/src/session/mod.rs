//! The session of two paired agents: the Double Ratchet with header encryption (Signal, "The Double
//! Ratchet Algorithm", section 4), on X25519, HKDF- and HMAC-SHA-256 and XChaCha20-Poly1305.
//!
//! 1. A pairing leaves both sides with one [`SessionId`], one root key and two header keys. The one
//!    that made the code is the initiator; both may send first, and at the same time.
//! 2. [`Session::seal`] takes a payload to an envelope and moves the sending chain by one.
//! 3. [`Session::open`] takes an envelope to its payload and changes **nothing**. It returns a
//!    [`Step`].
//! 4. When the payload was accepted (its signature, its place in the log), [`Session::commit`]
//!    applies the step. A payload that is refused costs the sender nothing but itself: the step is
//!    dropped, and the state is what it was.
//! 5. [`Session::to_bytes`] goes into the store in the same transaction as what the payload did.
//!
//! What arrives out of order or not at all leaves *skipped keys* behind: at most 2,000, none older
//! than 30 days, the oldest go first. A header may jump ahead by at most 2,000. A sender stops at
//! 1,500 messages that its peer has not answered, long before a receiver would have to refuse it.
//!
//! ```
//! use wire_core::envelope::DEFAULT_MAX;
//! use wire_core::session::{Lane, OpenError};
//! use wire_core::time::Timestamp;
//! # use wire_core::testing::{self, SeededRng};
//! # let (mut alice, mut bob) = testing::sessions(1);
//! # let mut rng = SeededRng::new(2);
//! # let now = Timestamp::from_millis(1_700_000_000_000);
//! let envelope = alice.seal(Lane::Ordinary, b"ferry at nine", DEFAULT_MAX, &mut rng)?;
//!
//! let opened = bob.open(&envelope, now, &mut rng)?;
//! assert_eq!(*opened.payload, *b"ferry at nine");
//! bob.commit(opened.step)?;
//!
//! assert_eq!(bob.open(&envelope, now, &mut rng).unwrap_err(), OpenError::Replayed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod error;
#[cfg(any(test, feature = "test-support"))]
mod forge;
mod keys;
mod receive;
mod send;
mod store;

pub use error::{OpenError, SessionError};
pub use keys::SessionKeys;
pub use receive::{Opened, Step};
pub use send::Lane;

#[cfg(any(test, feature = "test-support"))]
pub use forge::Forged;

#[cfg(all(test, feature = "client"))]
pub(crate) use forge::SendingPlace;

use std::collections::VecDeque;

use rand_core::CryptoRng;

use crate::crypto::dh::{DhKeyPair, DhPublic};
use crate::encoding::fixed_bytes;
use crate::envelope::HeaderKey;
use crate::time::Timestamp;
use chain::Chain;
use keys::{ChainKey, RootKey};

/// How far ahead of the next expected message a header may point, in a chain or at its end.
const MAX_SKIP: u32 = 2000;
/// Skipped message keys that a session keeps.
const MAX_STORED: usize = 2000;
/// Used messages that a session can still tell from new ones by their tags.
const MAX_USED: usize = 2000;
/// Closed chains that a session keeps.
const MAX_OLD: usize = 5;
/// How long a skipped key or a closed chain is kept: 30 days, as long as a relay keeps an envelope.
const MAX_AGE_MILLIS: u64 = 30 * 24 * 3600 * 1000;

fixed_bytes!(
    /// The name of a session, the same on both sides; every sealed body and every signed record is
    /// bound to it.
    SessionId,
    32
);

/// One side of a session. See the [module](self) for the order of calls.
///
/// It is not `Clone`: two copies that both send would be told apart by the peer as a clone.
pub struct Session {
    id: SessionId,
    /// Counts the changes of this state, so that a step fits only the state it was made from.
    generation: u64,
    root: RootKey,
    /// This side's ratchet key; its public half is in every header.
    dh: DhKeyPair,
    send: Sending,
    /// `None` until the responder has received its first message.
    recv: Option<Receiving>,
    /// Opens the header by which the peer starts its next chain.
    recv_next: HeaderKey,
    /// Oldest first.
    old: VecDeque<Closed>,
}

#[cfg_attr(feature = "client", derive(Clone))]
struct Sending {
    hk: HeaderKey,
    next_hk: HeaderKey,
    ck: ChainKey,
    n: u32,
    pn: u32,
}

#[cfg_attr(feature = "client", derive(Clone))]
struct Receiving {
    /// The peer's ratchet key that started the chain.
    dh: DhPublic,
    ck: ChainKey,
    chain: Chain,
}

#[cfg_attr(feature = "client", derive(Clone))]
struct Closed {
    at: Timestamp,
    chain: Chain,
}

impl Session {
    /// The side that made the code. `dh_a` is consumed by this: a fresh key takes its place at
    /// once. Fails if `dh_b` is of low order.
    pub(crate) fn initiator(
        id: SessionId,
        keys: SessionKeys,
        dh_a: DhKeyPair,
        dh_b: DhPublic,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SessionError> {
        let (root, recv_ck, recv_next) = keys.root.turn(&*dh_a.agree(&dh_b)?);
        let dh = DhKeyPair::generate(rng);
        let (root, ck, next_hk) = root.turn(&*dh.agree(&dh_b)?);
        let recv = Receiving { dh: dh_b, ck: recv_ck, chain: Chain::new(keys.hk_b) };
        Ok(Self {
            id,
            generation: 0,
            root,
            dh,
            send: Sending { hk: keys.hk_a, next_hk, ck, n: 0, pn: 0 },
            recv: Some(recv),
            recv_next,
            old: VecDeque::new(),
        })
    }

    /// The side that entered the code. Fails if `dh_a` is of low order.
    pub(crate) fn responder(
        id: SessionId,
        keys: SessionKeys,
        dh_b: DhKeyPair,
        dh_a: DhPublic,
    ) -> Result<Self, SessionError> {
        let (root, ck, next_hk) = keys.root.turn(&*dh_b.agree(&dh_a)?);
        Ok(Self {
            id,
            generation: 0,
            root,
            dh: dh_b,
            send: Sending { hk: keys.hk_b, next_hk, ck, n: 0, pn: 0 },
            recv: None,
            recv_next: keys.hk_a,
            old: VecDeque::new(),
        })
    }

    /// Rises with every change.
    #[cfg(feature = "client")]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// A copy to fall back to where what this one does next is never told to anyone.
    #[cfg(feature = "client")]
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            id: self.id,
            generation: self.generation,
            root: self.root.clone(),
            dh: self.dh.clone(),
            send: self.send.clone(),
            recv: self.recv.clone(),
            recv_next: self.recv_next.clone(),
            old: self.old.clone(),
        }
    }

    /// The name of the session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Erases skipped keys and closed chains that are older than 30 days. Call it now and then, and
    /// store the result.
    pub fn expire(&mut self, now: Timestamp) {
        let young = |t: Timestamp| now.since(t) <= MAX_AGE_MILLIS;
        let before = self.old.len();
        self.old.retain(|closed| young(closed.at));
        let mut changed = self.old.len() != before;
        for chain in self.chains_mut() {
            changed |= chain.retain_skipped(young);
        }
        if changed {
            self.changed();
        }
    }

    /// Every receiving chain, the oldest first.
    fn chains_mut(&mut self) -> impl Iterator<Item = &mut Chain> {
        self.old.iter_mut().map(|c| &mut c.chain).chain(self.recv.as_mut().map(|r| &mut r.chain))
    }

    fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.old.iter().map(|c| &c.chain).chain(self.recv.as_ref().map(|r| &r.chain))
    }

    /// Marks every step made so far as stale.
    fn changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    #[test]
    fn a_first_ratchet_key_of_low_order_is_refused_on_either_side() {
        let keys = || SessionKeys::new([1; 32], [2; 32], [3; 32]);
        let id = SessionId::from_bytes([4; 32]);
        let mut one = [0u8; 32];
        one[0] = 1;
        for low in [[0u8; 32], one].map(DhPublic::from_bytes) {
            let dh = DhKeyPair::generate(&mut rng());
            let a = Session::initiator(id, keys(), dh.clone(), low, &mut rng());
            assert_eq!(a.unwrap_err(), SessionError::Crypto);
            assert_eq!(Session::responder(id, keys(), dh, low).unwrap_err(), SessionError::Crypto);
        }
    }

    #[test]
    fn no_key_is_shown() {
        let keys = SessionKeys::new([1; 32], [2; 32], [3; 32]);
        assert_eq!(format!("{keys:?} {:?}", keys.hk_a), "SessionKeys(..) HeaderKey(..)");
    }
}

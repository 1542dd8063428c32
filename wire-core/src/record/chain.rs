//! The two chains of a session: ours, and the peer's.

use rand_core::CryptoRng;

use super::{Ack, Draft, Link, RecordError, RecordHash, SignedRecord, VerifiedRecord};
use crate::identity::IdentityKeyPair;
use crate::session::SessionId;
use crate::time::Timestamp;

/// Where our own chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendChain {
    /// Seq of the last record that we signed; 0 before the first.
    pub last: u64,
    /// Its hash; the session id before the first.
    pub head: RecordHash,
}

impl SendChain {
    /// The chain before its first record.
    pub fn start(session: &SessionId) -> Self {
        Self { last: 0, head: RecordHash::from_bytes(*session.as_bytes()) }
    }

    /// Signs `draft` as the next record. On an error the chain has not moved.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] for the body, [`RecordError::Malformed`] for a content type or kind
    /// that a receiver would refuse.
    pub fn sign(
        &mut self,
        key: &IdentityKeyPair,
        link: &Link,
        ack: Ack,
        now: Timestamp,
        draft: Draft,
        rng: &mut impl CryptoRng,
    ) -> Result<SignedRecord, RecordError> {
        SignedRecord::sign(self, key, link, ack, now, draft, rng)
    }
}

/// What a verified record of the peer is to the chain so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The next one: the chain may take it.
    Next,
    /// It lies beyond a gap: hold it.
    Ahead,
    /// At or below what was received: compare its hash with the stored one. Equal is a duplicate
    /// without effect, different is equivocation.
    Behind,
    /// It is next, but does not follow the record before it: the peer signed two histories.
    Broken,
}

/// Where the peer's chain ends as far as we have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveChain {
    /// Top of the contiguous run that is stored.
    pub recv: u64,
    /// Its hash; the session id at 0.
    pub head: RecordHash,
}

impl ReceiveChain {
    /// The chain before its first record.
    pub fn start(session: &SessionId) -> Self {
        Self { recv: 0, head: RecordHash::from_bytes(*session.as_bytes()) }
    }

    /// Where `record` belongs.
    pub fn place(&self, record: &VerifiedRecord) -> Placement {
        let header = record.header();
        let next = self.recv.saturating_add(1);
        if header.seq < next {
            Placement::Behind
        } else if header.seq > next {
            Placement::Ahead
        } else if header.prev == self.head {
            Placement::Next
        } else {
            Placement::Broken
        }
    }

    /// Takes a record that was placed as [`Placement::Next`].
    pub fn advance(&mut self, record: &VerifiedRecord) {
        debug_assert_eq!(self.place(record), Placement::Next);
        *self = Self { recv: record.header().seq, head: record.hash() };
    }
}

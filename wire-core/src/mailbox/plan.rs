//! What the relay's core asks of a store, and what the store says.
//!
//! 1. [`MailboxServer::plan`](super::MailboxServer::plan) turns a request that verified into a
//!    [`Plan`]: a ticket for the core, and an [`Op`] or [`ReadSpec`] for the store.
//! 2. The store carries it out. Atomic are, for one mailbox or place: everything that one `Op` says.
//!    Nothing is atomic across mailboxes, so a store may keep them apart.
//! 3. [`MailboxServer::finish`](super::MailboxServer::finish) words the [`Outcome`].

use super::{Cursor, EnvelopeHash, Incarnation, MailboxId, Page, Refusal, Refused, Slot, TokenHash, Verdict};
use crate::mailbox::Rendezvous;
use crate::time::Timestamp;

/// Where a request came from, as far as limits are concerned: an IPv4 address, or the first 64 bits
/// of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin([u8; 8]);

impl Origin {
    /// Where nothing is known of the address.
    pub const UNKNOWN: Self = Self([0; 8]);

    /// An IPv4 address.
    pub const fn v4(address: [u8; 4]) -> Self {
        let [a, b, c, d] = address;
        Self([0xff, 0xff, 0xff, 0xff, a, b, c, d])
    }

    /// An IPv6 address, of which only the first half counts; one that maps an IPv4 address is that.
    pub const fn v6(address: [u8; 16]) -> Self {
        match address {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Self::v4([a, b, c, d]),
            [a, b, c, d, e, f, g, h, ..] => Self([a, b, c, d, e, f, g, h]),
        }
    }
}

/// Which call a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `POST /v1/mb`
    Mailbox,
    /// `POST /v1/pair/allocate`
    Allocate,
    /// `POST /v1/pair/claim`
    Claim,
    /// `POST /v1/pair/put`
    Put,
    /// `POST /v1/pair/get`
    Get,
    /// `POST /v1/pair/close`
    Close,
}

/// What to do for a request.
#[derive(Debug)]
pub enum Plan {
    /// Change the store; the answer may go out only when the change is durable.
    Apply(Ticket, Op),
    /// Read the store; if the outcome [is empty](Outcome::is_empty), wait that many milliseconds for
    /// a change, and read again.
    Read(Ticket, ReadSpec, u32),
}

/// What the core remembers of a request while the store works on it.
#[derive(Debug)]
pub struct Ticket(pub(crate) Pending);

#[derive(Debug)]
pub(crate) enum Pending {
    Done,
    Create {
        origin: Origin,
        wanted: Refusal,
    },
    Post {
        mailbox: MailboxId,
        /// What is known already; the store says the rest, in order.
        verdicts: Vec<Option<Verdict>>,
        /// Sizes of those that the store decides.
        sizes: Vec<u64>,
        expires_at: Timestamp,
    },
    Poll,
    Allocate {
        origin: Origin,
        invite: bool,
    },
    Claim {
        origin: Origin,
    },
    Put,
    Get,
    Close {
        origin: Origin,
        place: Rendezvous,
    },
}

/// What the sender of a post may do; the store checks it again, in one step with the append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The epoch of the certificate.
    pub epoch: u32,
    /// Most envelopes that may wait.
    pub max_pending: u32,
    /// Most bytes that may wait.
    pub max_bytes: u64,
}

/// What entitles to a mailbox that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitled {
    /// Nothing: only a mailbox that is there may be asserted again.
    No,
    /// Something that the core has checked.
    Yes,
    /// A place, if it lives and this token is one of its two and has made no other mailbox.
    ByPlace(Rendezvous, TokenHash),
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Open the first of `candidates` that is free. An invite that is open under the same token is
    /// opened again. Says [`Outcome::Opened`] or [`Outcome::Taken`].
    SlotOpen {
        /// Names to try.
        candidates: Vec<Rendezvous>,
        /// The allocator.
        token: TokenHash,
        /// Until when it may be claimed.
        until: Timestamp,
        /// Milliseconds for which the slots live after b1, or none if `until` stays.
        linger: Option<u64>,
        /// Milliseconds for which the name is not given out again.
        quarantine: u64,
        /// Now.
        now: Timestamp,
    },
    /// Claim a place. Says [`Outcome::Claimed`], [`Outcome::Taken`] (and marks the place contested),
    /// or [`Outcome::Absent`].
    SlotClaim {
        /// The place.
        place: Rendezvous,
        /// The claimer.
        token: TokenHash,
        /// Milliseconds after which a claim without b1 lapses.
        lapse: u64,
        /// Now.
        now: Timestamp,
    },
    /// Write a slot, once. Says [`Outcome::Written`], [`Outcome::Taken`] or [`Outcome::Absent`].
    SlotPut {
        /// The place.
        place: Rendezvous,
        /// The writer.
        token: TokenHash,
        /// The slot, which must be the writer's.
        slot: Slot,
        /// What to write.
        bytes: Vec<u8>,
        /// Now.
        now: Timestamp,
    },
    /// End a place. Says [`Outcome::Written`] or [`Outcome::Absent`].
    SlotClose {
        /// The place.
        place: Rendezvous,
        /// Either side.
        token: TokenHash,
        /// Now.
        now: Timestamp,
    },
    /// Make a mailbox, or raise the lowest epoch of one that is there. Says [`Outcome::Done`],
    /// [`Outcome::NotEntitled`], or [`Outcome::Absent`] while the tombstone of a deleted one stands.
    Create {
        /// The mailbox.
        mailbox: MailboxId,
        /// The lowest valid epoch.
        min_epoch: u32,
        /// Its life, if it is new.
        incarnation: Incarnation,
        /// Whether it may be new.
        entitled: Entitled,
        /// Now.
        now: Timestamp,
    },
    /// Append. Says [`Outcome::Appended`], [`Outcome::OldEpoch`] or [`Outcome::Absent`]. What waits
    /// already, or was acknowledged a while ago, is not stored again; after the first envelope that is
    /// over the quota none is stored.
    Append {
        /// The mailbox.
        mailbox: MailboxId,
        /// What the sender may do.
        guard: Guard,
        /// The envelopes with their hashes; possibly none.
        envelopes: Vec<(EnvelopeHash, Vec<u8>)>,
        /// Until when they are kept.
        until: Timestamp,
    },
    /// Move the acknowledged position forward. Says [`Outcome::Done`], [`Outcome::Stale`] or
    /// [`Outcome::Absent`]. A position that is behind changes nothing.
    Ack {
        /// The mailbox.
        mailbox: MailboxId,
        /// The position.
        at: Cursor,
        /// The hash of the envelope there.
        hash: EnvelopeHash,
        /// Now.
        now: Timestamp,
    },
    /// Raise the lowest valid epoch. Says [`Outcome::Done`] or [`Outcome::Absent`].
    Epoch {
        /// The mailbox.
        mailbox: MailboxId,
        /// The lowest valid epoch.
        min_epoch: u32,
    },
    /// Remove a mailbox, and leave a tombstone. Says [`Outcome::Done`] or [`Outcome::Absent`].
    Delete {
        /// The mailbox.
        mailbox: MailboxId,
        /// Now.
        now: Timestamp,
    },
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadSpec {
    /// A page of a mailbox. Says [`Outcome::Page`] or [`Outcome::Absent`].
    Mailbox {
        /// The mailbox.
        mailbox: MailboxId,
        /// Read after this, if it is of the mailbox's life and not acknowledged yet.
        after: Option<Cursor>,
        /// Most envelopes.
        max_envelopes: usize,
        /// Most bytes, but at least one envelope.
        max_bytes: usize,
        /// Now.
        now: Timestamp,
    },
    /// A slot. Says [`Outcome::Slot`] or [`Outcome::Absent`].
    Slot {
        /// The place.
        place: Rendezvous,
        /// The reader: either side.
        token: TokenHash,
        /// The slot.
        slot: Slot,
        /// Now.
        now: Timestamp,
    },
}

impl ReadSpec {
    /// The same read at another time, and for a mailbox from another position.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        match &mut self {
            Self::Mailbox { now, .. } | Self::Slot { now, .. } => *now = time,
        }
        self
    }
}

/// What a store says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so now, or was already; of this life of the mailbox.
    Done(Incarnation),
    /// It is so now, or was already.
    Written,
    /// Somebody else has it, or other bytes are there.
    Taken,
    /// There is none, or not for this token.
    Absent,
    /// There is none, and the caller may not make one.
    NotEntitled,
    /// The certificate's epoch is too old.
    OldEpoch,
    /// The position does not exist.
    Stale {
        /// The life of the mailbox.
        incarnation: Incarnation,
        /// The first envelope that can be read.
        first: u64,
        /// The last envelope that was stored.
        head: u64,
    },
    /// One verdict for each envelope.
    Appended {
        /// The life of the mailbox.
        incarnation: Incarnation,
        /// In the order of the envelopes.
        verdicts: Vec<Verdict>,
    },
    /// A place was opened.
    Opened {
        /// Which.
        place: Rendezvous,
        /// Until when it may be claimed.
        until: Timestamp,
    },
    /// A place was claimed.
    Claimed {
        /// Until when it lives.
        until: Timestamp,
    },
    /// What is in a slot.
    Slot {
        /// The bytes, if it was written.
        bytes: Option<Vec<u8>>,
        /// Somebody else tried to claim the place.
        contested: bool,
    },
    /// What waits in a mailbox.
    Page {
        /// The page; its time is the read's.
        page: Page,
        /// The lowest valid epoch.
        epoch: u32,
    },
}

impl Outcome {
    /// A read that may be worth waiting for.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Page { page, .. } => page.envelopes.is_empty(),
            Self::Slot { bytes, contested } => bytes.is_none() && !contested,
            Self::Done(_)
            | Self::Written
            | Self::Taken
            | Self::Absent
            | Self::NotEntitled
            | Self::OldEpoch
            | Self::Stale { .. }
            | Self::Appended { .. }
            | Self::Opened { .. }
            | Self::Claimed { .. } => false,
        }
    }
}

/// An answer, ready for HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Seconds of the `Retry-After` header.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    pub(crate) fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, retry_after: None, body }
    }

    /// A refusal.
    pub fn refused(refusal: Refusal, now: Timestamp) -> Self {
        Self {
            status: refusal.status(),
            retry_after: refusal.retry_after(),
            body: Refused { refusal, time: now }.to_bytes(),
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_ipv4_address_or_half_an_ipv6_address() {
        let v6 = |last: u8| {
            let mut a = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
            a[15] = last;
            a
        };
        assert_eq!(Origin::v6(v6(1)), Origin::v6(v6(2)));
        assert_ne!(Origin::v4([10, 0, 0, 1]), Origin::v4([10, 0, 0, 2]));
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
        assert_eq!(Origin::v6(mapped), Origin::v4([10, 0, 0, 1]));
    }
}

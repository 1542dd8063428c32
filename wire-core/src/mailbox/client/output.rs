//! What the client asks its driver to do, and tells it.

use crate::mailbox::{Cursor, Incarnation, MailboxId, Refusal, Verdict};
use crate::time::Timestamp;

/// Names a request while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A request to carry out: POST `body` to `path` at the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// [`MAILBOX_PATH`](super::MAILBOX_PATH) or [`READ_PATH`](super::READ_PATH).
    pub path: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// The answer is a stream: hand its body on with `handle_chunk` as it comes.
    pub stream: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Carry this out.
    Transmit(RequestId, Call),
    /// Abandon that stream: another takes its place.
    Cancel(RequestId),
    /// Take note.
    Event(Event),
    /// Nothing until then, or until an input. `None`: only an input changes anything.
    Wait(Option<Timestamp>),
}

/// What became of the commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The mailbox exists and is being read.
    Opened {
        /// Which.
        mailbox: MailboxId,
        /// Its present life.
        incarnation: Incarnation,
    },
    /// The mailbox is gone.
    Deleted {
        /// Which.
        mailbox: MailboxId,
    },
    /// The right to post to the mailbox was taken back.
    Revoked {
        /// Which.
        mailbox: MailboxId,
    },
    /// An envelope came.
    Envelope {
        /// Into which mailbox.
        mailbox: MailboxId,
        /// Where it stands.
        at: Cursor,
        /// The envelope.
        envelope: Vec<u8>,
    },
    /// The relay took a post.
    Posted {
        /// The tag of the command.
        tag: u64,
        /// The life of the mailbox that took them.
        incarnation: Incarnation,
        /// One for each envelope.
        verdicts: Vec<Verdict>,
        /// When the relay will have dropped them.
        expires_at: Timestamp,
    },
    /// The relay did not take a post for now; it is tried again after a while.
    PostDelayed {
        /// The tag of the command.
        tag: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The relay refused a post; it is not tried again.
    PostRefused {
        /// The tag of the command.
        tag: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The relay refused to make, read, close or delete a mailbox of ours; it is not tried again.
    BoxRefused {
        /// Which.
        mailbox: MailboxId,
        /// Why.
        refusal: Refusal,
    },
    /// The relay says that its clock is this far from ours; it has not proved it.
    Clock {
        /// Its time minus ours, in milliseconds.
        offset_ms: i64,
    },
    /// The relay answers, or does not.
    Reachable(bool),
}

//! The protocol between an agent and its relay: who may post to a mailbox, who may read it, and
//! both halves of the exchange as state machines without I/O.
//!
//! 1. The client asks the relay to prove its key: [`Challenge`], [`RelayProof`].
//! 2. Two clients that share a code meet at a [`Rendezvous`]: [`Allocate`], [`Claim`], [`Put`], [`Get`].
//! 3. Each makes a mailbox, a [`Certificate`] for the other, and speaks to the relay by
//!    [`SignedRequest`]s, answered by [`Done`], [`Posted`], [`Page`] or [`Refused`].
//! 4. Or it reads many mailboxes at once: [`ReadRequest`], [`Frame`].
//!
//! The relay's side is [`MailboxServer`]: it turns requests into a [`Plan`] that a store carries out.
//!
//! All bodies are deterministic CBOR arrays; times are milliseconds since 1970.

mod answer;
mod certificate;
pub mod client;
mod codec;
mod cursor;
mod frame;
mod keys;
mod limits;
mod plan;
mod refusal;
mod relay_proof;
mod rendezvous;
mod request;
mod right;
mod server;

pub use crate::envelope::EnvelopeHash;
pub use answer::{Done, Empty, Page, Posted, Verdict};
pub use certificate::{CERTIFICATE_LEN, Certificate, CertificateError, Quota};
pub use client::{MAILBOX_PATH, MailboxClient, READ_PATH};
pub use cursor::{Cursor, Incarnation};
pub use frame::{Frame, FrameDecoder, ReadRequest};
pub use keys::{MailboxId, MailboxKeyPair, RelayId, RelayKeyPair, SenderId, SenderKeyPair};
pub use limits::{
    KEEP_ALIVE_MS, Limits, MAX_BATCH, MAX_BATCH_BYTES, MAX_ENVELOPE, MAX_SKEW_MS, MAX_STREAMS, MAX_WAIT_MS,
    STREAM_WINDOW, STREAM_WINDOW_BYTES,
};
pub use plan::{Call, Entitled, Guard, Op, Origin, Outcome, Plan, ReadSpec, Reply, Ticket};
pub use refusal::{Refusal, Refused};
pub use relay_proof::{Challenge, ProofError, RelayInfo, RelayProof};
pub use rendezvous::{
    Allocate, Allocated, Claim, Claimed, ClientToken, Close, Get, Got, InviteId, MAX_SLOT, Nameplate,
    ParseNameplateError, Put, Rendezvous, Slot, TokenHash,
};
pub use request::{Caller, Operation, SignedRequest, Unproven};
pub use right::{OperatorToken, Right, proves_work, solve_work};
pub use server::{CreatePolicy, MailboxServer, StreamPlan};

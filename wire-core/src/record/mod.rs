//! The record: what one agent signs for one peer, and the hash-linked log that records form.
//!
//! 1. [`SendChain::sign`] gives a [`Draft`] its place: `seq` without holes, `prev` = hash of the
//!    record before it, the acknowledgement of the peer's chain, all inside the signed bytes.
//! 2. The payload of an envelope is the signed record with salt and body beside it
//!    ([`SignedRecord::to_payload`]), so that a body can be pruned without breaking the chain.
//! 3. [`open`] verifies a payload under the pinned key. Only what it returns, [`Inbound`], gives
//!    access to sender and body: trust is a type.
//! 4. [`ReceiveChain::place`] says what a verified record is: the next one, one from beyond a gap,
//!    a duplicate, or evidence of equivocation.
//!
//! Control messages ([`Control`]) carry acknowledgements; they are signed the same way but stand
//! outside the chain, so that the last acknowledgement needs none itself.
//!
//! [`log`] is the same, of both sides, as a file for a third party.
//!
//! Signed form: untagged COSE_Sign1 (RFC 9052) with Ed25519 over strict deterministic CBOR.

mod ack;
mod chain;
mod control;
mod cose;
mod error;
#[cfg(any(test, feature = "test-support"))]
pub(crate) mod forge;
mod header;
mod id;
pub mod log;
mod message;

pub(crate) use ack::MAX_NUMBER;
pub use ack::{Ack, Except, MAX_EXCEPT, MAX_MISSING, MAX_UNOPENABLE, Reason, SeqRange};
pub use chain::{Placement, ReceiveChain, SendChain};
pub use control::{Control, ControlKind, VerifiedControl};
pub use error::RecordError;
pub use header::{Header, Kind, MAX_CONTENT_TYPE};
pub use id::{ParseRecordIdError, RecordHash, RecordId};
pub use message::{
    Draft, Inbound, Link, MAX_BODY, Salt, SignedRecord, VerifiedRecord, control_payload, open,
};

#[cfg(test)]
mod tests;

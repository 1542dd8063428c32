//! What can be wrong with a record that came out of an envelope.

use crate::encoding::Malformed;

/// A payload that is not a valid record of this peer in this session. Nothing of it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not the deterministic encoding of a record, or a field out of its bounds.
    #[error("malformed record")]
    Malformed,
    /// The signature, or the algorithm that it names, is not acceptable.
    #[error("record signature does not verify")]
    Signature,
    /// Signed for another session, or from or to somebody else.
    #[error("record belongs to another session")]
    WrongSession,
    /// The body is not the one that was signed.
    #[error("record body does not match its hash")]
    Body,
    /// A body larger than [`MAX_BODY`](super::MAX_BODY).
    #[error("body of {len} bytes is larger than {max}")]
    TooLarge {
        /// What was given.
        len: usize,
        /// What fits.
        max: usize,
    },
    /// A payload type that this version does not know.
    #[error("unknown payload type {0}")]
    UnknownPayload(u8),
}

impl From<Malformed> for RecordError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

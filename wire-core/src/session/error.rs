//! What can go wrong with a session, by who is at fault.

use crate::crypto::CryptoError;

/// The caller asked for what the session cannot do, or the peer's ratchet key is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The lane has no room until the peer answers; re-post what is sealed already.
    #[error("too many messages without an answer from the peer")]
    ChainFull,
    /// The payload does not fit the largest envelope that the peer takes.
    #[error("payload of {len} bytes is over the limit of {max}")]
    TooLarge {
        /// Bytes given.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// The step was made from another state than this one: open the envelope again.
    #[error("session changed since the envelope was opened")]
    StaleStep,
    /// A key agreement with no contribution of the peer.
    #[error("cryptographic check failed")]
    Crypto,
}

impl From<CryptoError> for SessionError {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

/// Why an envelope gave no payload. The session is unchanged in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not an envelope: wrong length, version or suite.
    #[error("malformed envelope")]
    Malformed,
    /// No live key opens it: it is a stranger's, damaged in its header, or of a key that was erased
    /// long ago.
    #[error("no live key opens the envelope")]
    Unopenable,
    /// This very envelope was opened and committed before.
    #[error("envelope was opened before")]
    Replayed,
    /// A damaged copy of an envelope that was opened and committed before: its header is the peer's,
    /// its body is not. A relay can do that, so it is no alarm.
    #[error("altered copy of an envelope that was opened before")]
    TamperedDuplicate,
    /// **Alarm.** The peer sealed two different messages at one place of its chain, or went on in a
    /// chain that it had ended: its state was copied or rolled back.
    #[error("the peer's state was copied or rolled back")]
    CloneDetected,
    /// The peer's header jumps further ahead than an honest sender can be.
    #[error("header is too far ahead")]
    TooFarAhead,
    /// The header is the peer's; its ratchet key, the body or the padding is not in order.
    #[error("cryptographic check failed")]
    Crypto,
}

impl From<CryptoError> for OpenError {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

//! The envelope: what a relay stores, and all that it sees of a message.
//!
//! ```text
//! 01 ‖ suite ‖ nonce24 ‖ hdr56 ‖ ct
//! hdr = XChaCha20-Poly1305(header key,  nonce, dh32 ‖ pn4 ‖ n4;          aad = 01 ‖ suite)
//! ct  = XChaCha20-Poly1305(message key, nonce, len4 ‖ payload ‖ zeros;   aad = all before ct ‖ session id)
//! ```
//!
//! Every envelope is as long as the smallest 512·2^k that its payload fits, so its length says no
//! more than a size class. A reset is sealed outside of any session, under a key of the pairing. Sealing and opening belong to a [`Session`](crate::session::Session),
//! which has the keys; this module has the layout, the sizes and the hash by which an envelope is
//! named.
//!
//! ```
//! use wire_core::envelope::{self, EnvelopeError, EnvelopeHash};
//! // A payload of one byte costs 512, and the largest that 512 carry is 410.
//! assert_eq!(envelope::max_payload(512), 410);
//! assert_eq!(envelope::sealed_len(1), Some(512));
//! assert_eq!(envelope::sealed_len(411), Some(1024));
//!
//! let mut bytes = vec![0; 512];
//! bytes[..2].copy_from_slice(&[envelope::VERSION, envelope::SUITE]);
//! assert_eq!(envelope::check(&bytes, envelope::DEFAULT_MAX), Ok(()));
//! assert_eq!(envelope::check(&bytes[..511], envelope::DEFAULT_MAX), Err(EnvelopeError::Length { len: 511 }));
//! println!("{:?}", EnvelopeHash::of(&bytes));
//! ```

mod layout;
mod padding;
mod reset;
mod sealed;

pub(crate) use layout::Parts;
pub use layout::check;
pub use padding::{Payload, max_payload, sealed_len};
pub(crate) use reset::{ResetContext, open_reset, seal_reset};
pub(crate) use sealed::{Header, HeaderKey, MessageKey, seal};

use crate::crypto::{aead, kdf};
use crate::encoding::fixed_bytes;

/// The first byte of every envelope.
pub const VERSION: u8 = 1;
/// The second byte: X25519, HKDF- and HMAC-SHA-256, XChaCha20-Poly1305.
pub const SUITE: u8 = 1;
/// The smallest envelope, in bytes.
pub const MIN_LEN: usize = 512;
/// The largest envelope where nothing else was agreed: 64 KiB.
pub const DEFAULT_MAX: usize = 64 << 10;
/// The largest envelope that there is: 256 KiB.
pub const HARD_MAX: usize = 256 << 10;
/// What an envelope adds to its payload before padding, in bytes.
pub const OVERHEAD: usize = PREFIX_LEN + LEN_LEN + aead::TAG_LEN;

const HEADER_LEN: usize = 32 + 4 + 4;
/// Everything before the body: version, suite, nonce, sealed header.
const PREFIX_LEN: usize = 2 + aead::NONCE_LEN + HEADER_LEN + aead::TAG_LEN;
const LEN_LEN: usize = 4;

fixed_bytes!(
    /// The name of an envelope: SHA-256 over all of its bytes.
    EnvelopeHash,
    32
);

impl EnvelopeHash {
    /// The name of these bytes.
    pub fn of(envelope: &[u8]) -> Self {
        Self::from_bytes(kdf::sha256(&[envelope]))
    }
}

/// Bytes that cannot be an envelope, seen without any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Longer than the limit, which is at most [`HARD_MAX`].
    #[error("envelope of {len} bytes is over the limit of {max}")]
    TooLarge {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not one of the padded lengths 512·2^k; so also an empty or truncated one.
    #[error("{len} bytes is not a length that an envelope can have")]
    Length {
        /// Bytes given.
        len: usize,
    },
    /// A version that this code does not know.
    #[error("unknown envelope version {0}")]
    Version(u8),
    /// A suite that this code does not know.
    #[error("unknown envelope suite {0}")]
    Suite(u8),
}

//! The stored form of a pairing by invite: `01 ‖ kind1 ‖ fields`, each kind of fixed layout.
//!
//! Never the secret, and never a pairing by typed code.

use zeroize::Zeroizing;

use super::PairingError;
use crate::encoding::Reader;

const VERSION: u8 = 1;

/// Which state the bytes hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Initiator = 1,
    Responder = 2,
    AwaitingConfirmation = 3,
}

/// An empty buffer that starts with version and kind and will not move up to `len` bytes.
pub(super) fn begin(kind: Kind, len: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(2 + len));
    out.extend_from_slice(&[VERSION, kind as u8]);
    out
}

/// A reader past version and kind.
pub(super) fn open(kind: Kind, bytes: &[u8]) -> Result<Reader<'_>, PairingError> {
    match bytes.split_first_chunk() {
        Some((&[VERSION, k], fields)) if k == kind as u8 => Ok(Reader::new(fields)),
        _ => Err(PairingError::Stored),
    }
}

//! COSE_Sign1 (RFC 9052 §4.2, §4.4), untagged, Ed25519 only.
//!
//! The protected header is exactly `a1 01 27` (alg: -8) and the unprotected one is empty, so there
//! is no algorithm to confuse and no key id to believe. The signature is verified over the received
//! bytes, never over a re-encoding.

use minicbor::{Decoder, Encoder};

use super::RecordError;
use crate::identity::{IdentityKeyPair, PinnedKey};
use crate::session::SessionId;

const PROTECTED: [u8; 3] = [0xa1, 0x01, 0x27];
const CONTEXT: &[u8] = b"wire/rec/1";

/// Signs `payload` for the session.
pub(super) fn sign(key: &IdentityKeyPair, session: &SessionId, payload: &[u8]) -> Vec<u8> {
    let signature = key.sign(&to_be_signed(session, payload), &[]);
    let mut out = Vec::with_capacity(payload.len() + 80);
    let mut e = Encoder::new(&mut out);
    // Writing to a `Vec` cannot fail.
    let _: Result<(), minicbor::encode::Error<core::convert::Infallible>> =
        (|| e.array(4)?.bytes(&PROTECTED)?.map(0)?.bytes(payload)?.bytes(&signature)?.ok())();
    out
}

/// Verifies a COSE_Sign1 under the pinned key, and gives back its payload.
pub(super) fn verify<'a>(
    key: &PinnedKey,
    session: &SessionId,
    cose: &'a [u8],
) -> Result<&'a [u8], RecordError> {
    let (payload, signature) = parse(cose).ok_or(RecordError::Malformed)?;
    key.verify(&to_be_signed(session, payload), &signature).map_err(|_| RecordError::Signature)?;
    Ok(payload)
}

/// What was signed, unverified.
#[cfg(feature = "client")]
pub(super) fn payload(cose: &[u8]) -> Option<&[u8]> {
    parse(cose).map(|(payload, _)| payload)
}

fn parse(cose: &[u8]) -> Option<(&[u8], [u8; 64])> {
    let mut d = Decoder::new(cose);
    let fields = d.array().ok()? == Some(4) && d.bytes().ok()? == PROTECTED && d.map().ok()? == Some(0);
    let payload = d.bytes().ok()?;
    let signature: [u8; 64] = d.bytes().ok()?.try_into().ok()?;
    if !fields || d.position() != cose.len() {
        return None;
    }
    // One encoding only: the heads must be the ones that `sign` writes.
    let minimal = cose.len() == frame_len(payload.len());
    minimal.then_some((payload, signature))
}

/// array(4) + bstr(3) + map(0) + bstr(payload) + bstr(64).
fn frame_len(payload: usize) -> usize {
    1 + 4 + 1 + head_len(payload) + payload + 2 + 64
}

fn head_len(n: usize) -> usize {
    match n {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 5,
    }
}

/// Sig_structure = ["Signature1", protected, external_aad, payload].
fn to_be_signed(session: &SessionId, payload: &[u8]) -> Vec<u8> {
    let aad = [CONTEXT, session.as_bytes()].concat();
    let mut out = Vec::with_capacity(payload.len() + 80);
    let mut e = Encoder::new(&mut out);
    // Writing to a `Vec` cannot fail.
    let _: Result<(), minicbor::encode::Error<core::convert::Infallible>> =
        (|| e.array(4)?.str("Signature1")?.bytes(&PROTECTED)?.bytes(&aad)?.bytes(payload)?.ok())();
    out
}

#[cfg(test)]
mod tests;

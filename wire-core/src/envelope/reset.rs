//! Envelopes outside of any session, under a reset key of the pairing: the header is 40 zero bytes, and the nonce,
//! 24 random bytes, gives the key of the body.

use rand_core::CryptoRng;

use super::sealed::{self, Header, HeaderKey, MessageKey};
use super::{Parts, Payload};
use crate::crypto::CryptoError;
use crate::crypto::aead::NONCE_LEN;
use crate::crypto::dh::DhPublic;
use crate::crypto::kdf;

const LABEL: &[u8] = b"wire/rst/1 mk";
const HEADER: Header = Header { dh: DhPublic::from_bytes([0; 32]), pn: 0, n: 0 };

/// What the body is bound to: the roots of its sender and its receiver.
pub(crate) type ResetContext = [u8; 64];

/// Makes the envelope of `payload`, of `len` bytes, which is the payload's [`sealed_len`](super::sealed_len).
pub(crate) fn seal_reset(
    key: &[u8; 32],
    context: &ResetContext,
    payload: &[u8],
    len: usize,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut nonce = [0u8; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let keys = (&HeaderKey::from_bytes(*key), &body_key(key, &nonce));
    sealed::lay_out(keys, &nonce, &HEADER, context, payload, len)
}

/// The payload of an envelope; none where its header is not of this key.
pub(crate) fn open_reset(
    key: &[u8; 32],
    context: &ResetContext,
    envelope: &[u8],
) -> Option<Result<Payload, CryptoError>> {
    let parts = Parts::parse(envelope).ok()?;
    let header = parts.open_header(&HeaderKey::from_bytes(*key))?;
    if header != HEADER {
        return Some(Err(CryptoError));
    }
    Some(parts.open_body(&body_key(key, parts.nonce()), context))
}

fn body_key(key: &[u8; 32], nonce: &[u8; NONCE_LEN]) -> MessageKey {
    MessageKey::from_bytes(*kdf::hkdf256::<32>(nonce, key, LABEL))
}

//! Sealing and opening under keys that a session hands in.
//!
//! 1. The sender derives the nonce from the message key, fresh randomness and the payload, so that
//!    two copies of one machine, with one state and one random generator, still never use a nonce
//!    for two different messages.
//! 2. The header is sealed under the header key, the body under the message key, both under that
//!    nonce; the body's associated data is everything before it and the session id.
//! 3. The receiver opens the header first. Only a holder of the header key can make one, so nobody
//!    else causes any derivation of keys.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{HEADER_LEN, LEN_LEN, PREFIX_LEN, Parts, Payload, SUITE, VERSION};
use crate::crypto::aead::{self, NONCE_LEN, TAG_LEN};
use crate::crypto::dh::DhPublic;
use crate::crypto::{CryptoError, kdf, public};
use crate::encoding::{Reader, secret_bytes};

const NONCE_LABEL: &[u8] = b"wire/env/1 nonce";

secret_bytes!(
    /// Seals the headers of one chain.
    HeaderKey,
    32
);
secret_bytes!(
    /// Seals the body of one message.
    MessageKey,
    32
);

/// What the body is bound to beside the bytes before it: the session id.
type Context = [u8; 32];

/// The ratchet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sender's current ratchet key.
    pub(crate) dh: DhPublic,
    /// How many messages the sender's previous chain had.
    pub(crate) pn: u32,
    /// The number of this message in its chain, from 0.
    pub(crate) n: u32,
}

/// Makes the envelope of `payload`, in one allocation of `len` bytes, which is the payload's
/// [`sealed_len`](super::sealed_len).
pub(crate) fn seal(
    keys: (&HeaderKey, &MessageKey),
    header: &Header,
    context: &Context,
    payload: &[u8],
    len: usize,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let nonce = hedged_nonce(keys.1, payload, rng);
    lay_out(keys, &nonce, header, context, payload, len)
}

/// [`seal`] under a nonce that is given.
pub(super) fn lay_out(
    (hk, mk): (&HeaderKey, &MessageKey),
    nonce: &[u8; NONCE_LEN],
    header: &Header,
    context: &[u8],
    payload: &[u8],
    len: usize,
) -> Vec<u8> {
    let mut sealed_header = header.encode();
    let header_tag = aead::seal_detached(hk.expose(), nonce, &[VERSION, SUITE], &mut sealed_header);

    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(&[VERSION, SUITE]);
    out.extend_from_slice(nonce);
    out.extend_from_slice(&sealed_header);
    out.extend_from_slice(&header_tag);
    let aad = body_aad(&out, context);

    // A payload is at most HARD_MAX long.
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out.resize(len - TAG_LEN, 0);
    let (_, body) = out.split_at_mut(PREFIX_LEN);
    let body_tag = aead::seal_detached(mk.expose(), nonce, &aad, body);
    out.extend_from_slice(&body_tag);
    out
}

impl Parts<'_> {
    /// The header, if it was sealed under `hk`.
    pub(crate) fn open_header(&self, hk: &HeaderKey) -> Option<Header> {
        let mut header = Zeroizing::new(self.header);
        let aad = [VERSION, SUITE];
        aead::open_detached(hk.expose(), &self.nonce, &aad, header.as_mut(), &self.header_tag).ok()?;
        public::bytes(header.as_ref());
        Header::decode(&header)
    }

    /// The payload, if the body was sealed under `mk` for `context` behind these very bytes and its
    /// padding is right.
    pub(crate) fn open_body(&self, mk: &MessageKey, context: &[u8]) -> Result<Payload, CryptoError> {
        let aad = body_aad(self.prefix, context);
        Payload::open(self.body, |body| {
            aead::open_detached(mk.expose(), &self.nonce, &aad, body, self.body_tag)
        })
    }
}

impl Header {
    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0u8; HEADER_LEN];
        let (dh, numbers) = out.split_at_mut(32);
        let (pn, n) = numbers.split_at_mut(4);
        dh.copy_from_slice(self.dh.as_bytes());
        pn.copy_from_slice(&self.pn.to_be_bytes());
        n.copy_from_slice(&self.n.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        Some(Self { dh: DhPublic::from_bytes(r.array().ok()?), pn: r.u32().ok()?, n: r.u32().ok()? })
    }
}

/// `HMAC-SHA256(HKDF-SHA256(no salt, mk, label, 32), random32 ‖ payload)`, cut to 24 bytes.
fn hedged_nonce(mk: &MessageKey, payload: &[u8], rng: &mut impl CryptoRng) -> [u8; NONCE_LEN] {
    let mut random = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(random.as_mut());
    let key = kdf::hkdf256::<32>(&[], mk.expose(), NONCE_LABEL);
    let mac = kdf::hmac256(key.as_ref(), &[random.as_ref(), payload]);
    let mut nonce = [0u8; NONCE_LEN];
    nonce.copy_from_slice(mac.split_at(NONCE_LEN).0);
    nonce
}

fn body_aad(prefix: &[u8], context: &[u8]) -> Vec<u8> {
    [prefix, context].concat()
}

const _: () = assert!(PREFIX_LEN == 82 && LEN_LEN == 4);

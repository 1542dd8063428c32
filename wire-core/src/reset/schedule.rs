//! The keys of the new session: PRK = HKDF-SHA512-Extract(SHA-512("wire/reset/1" ‖ lv(RESET) ‖ lv(RESET_OK)),
//! DH ‖ ss), expanded under "wire/reset/1 " ‖ name.

use zeroize::Zeroizing;

use super::message::REQUEST_LABEL;
use super::words::WORD_BYTES;
use crate::crypto::kdf::{Prk512, sha256, sha512};
use crate::encoding::lv;
use crate::session::{SessionId, SessionKeys};

const LABEL: &[u8] = b"wire/reset/1 ";
const SESSION_LABEL: &[u8] = b"wire/session/1";

type Bits = Zeroizing<[u8; WORD_BYTES]>;

pub(super) struct Schedule {
    pub(super) id: SessionId,
    prk: Prk512,
}

impl Schedule {
    pub(super) fn derive(request: &[u8], answer: &[u8], dh: &[u8; 32], ss: &[u8; 32]) -> Self {
        let mut transcript = Vec::with_capacity(request.len() + answer.len() + 8);
        lv(&mut transcript, request);
        lv(&mut transcript, answer);
        let mut ikm = Zeroizing::new([0u8; 64]);
        let (front, back) = ikm.split_at_mut(32);
        front.copy_from_slice(dh);
        back.copy_from_slice(ss);
        let salt = sha512(&[REQUEST_LABEL, &transcript]);
        Self {
            id: SessionId::from_bytes(sha256(&[SESSION_LABEL, &transcript])),
            prk: Prk512::extract(&salt, ikm.as_ref()),
        }
    }

    pub(super) fn session_keys(&self) -> SessionKeys {
        let key = |name: &[u8]| self.prk.expand::<32>(LABEL, name);
        SessionKeys::new(*key(b"rk0"), *key(b"hkA"), *key(b"hkB"))
    }

    /// What the owner of the requester reads out, and what the owner of the answerer does.
    pub(super) fn words(&self) -> [Bits; 2] {
        [self.prk.expand(LABEL, b"wordsA"), self.prk.expand(LABEL, b"wordsB")]
    }
}

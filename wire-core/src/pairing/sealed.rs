//! The two sealed messages of a run.
//!
//! - M3 = HMAC-SHA512(confA, "A" ‖ TH) ‖ box(boxA, offer of A; aad TH ‖ "A")
//! - M4 = HMAC-SHA512(confB, "B" ‖ TH ‖ H(M3)) ‖ box(boxB, offer of B; aad TH ‖ "B" ‖ H(M3))
//!
//! box = nonce24 ‖ XChaCha20-Poly1305. An offer is `len4 ‖ body ‖ sig64 ‖ zeros`, as long as 4,096
//! bytes or, where that is too short, 8,064: a slot of the relay shows one of two sizes and fits
//! 8 KiB. The signature is made by the identity in the body, over "wire/pair/1 offer" ‖ role ‖ TH ‖
//! H(body), and in M4 also H(M3).
//!
//! The tag is checked before the box is opened: HMAC commits to its key, Poly1305 does not.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::transcript::Schedule;
use super::{PairingError, Role};
use crate::crypto::aead::{self, NONCE_LEN, TAG_LEN};
use crate::crypto::kdf::{hmac512, sha256, verify_hmac512};
use crate::crypto::sign::SIGNATURE_LEN;
use crate::encoding::Reader;
use crate::identity::{Identity, IdentityPublic};

const OFFER_LABEL: &[u8] = b"wire/pair/1 offer";
const MAC_LEN: usize = 64;
const SHORT: usize = 4096;
const LONG: usize = 8064;
const FRAME: usize = 4 + SIGNATURE_LEN;

/// The longest body of an offer.
pub(super) const MAX_BODY: usize = LONG - FRAME;

/// What seals and opens the one message of `role`.
pub(super) struct Sealing<'a> {
    role: Role,
    schedule: &'a Schedule,
    /// H(M3) in M4; nothing in M3.
    answers: &'a [u8],
}

/// An offer that was opened and whose signature is still to be checked: its signer is in it.
pub(super) struct Opened {
    plaintext: Zeroizing<Vec<u8>>,
    body_len: usize,
    signature: [u8; SIGNATURE_LEN],
}

impl<'a> Sealing<'a> {
    pub(super) fn m3(schedule: &'a Schedule) -> Self {
        Self { role: Role::Initiator, schedule, answers: &[] }
    }

    pub(super) fn m4(schedule: &'a Schedule, m3_hash: &'a [u8; 32]) -> Self {
        Self { role: Role::Responder, schedule, answers: m3_hash }
    }

    /// The message for a body of at most [`MAX_BODY`] bytes.
    pub(super) fn seal(&self, body: &[u8], signer: &Identity, rng: &mut impl CryptoRng) -> Vec<u8> {
        let padded = padded_len(body.len());
        debug_assert!(padded.is_some());
        self.seal_plaintext(&self.plaintext(body, signer, padded.unwrap_or(LONG)), rng)
    }

    /// Any plaintext, for tests. `None` if it is not of one of the two lengths.
    #[cfg(any(test, feature = "test-support"))]
    pub(super) fn forge(
        &self,
        body: &[u8],
        signer: &Identity,
        rng: &mut impl CryptoRng,
        tamper: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Vec<u8>> {
        let mut plaintext = self.plaintext(body, signer, padded_len(body.len())?);
        tamper(&mut plaintext);
        [SHORT, LONG].contains(&plaintext.len()).then(|| self.seal_plaintext(&plaintext, rng))
    }

    fn plaintext(&self, body: &[u8], signer: &Identity, padded: usize) -> Zeroizing<Vec<u8>> {
        let signature = self.signed(body, |label, parts| signer.key().sign(label, parts));
        let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
        plaintext.extend_from_slice(&(body.len() as u32).to_be_bytes());
        plaintext.extend_from_slice(body);
        plaintext.extend_from_slice(&signature);
        plaintext.resize(padded, 0);
        plaintext
    }

    fn seal_plaintext(&self, plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0u8; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let tag = self.mac(hmac512);
        let sealed = aead::seal(self.box_key(), &nonce, &self.aad(), plaintext);
        [tag.as_slice(), &nonce, &sealed].concat()
    }

    /// Checks the tag, opens the box, and takes the padding off.
    pub(super) fn open(&self, message: &[u8]) -> Result<Opened, PairingError> {
        let sizes = [SHORT, LONG].map(|n| MAC_LEN + NONCE_LEN + n + TAG_LEN);
        if !sizes.contains(&message.len()) {
            return Err(PairingError::Malformed);
        }
        let mut r = Reader::new(message);
        let tag = r.take(MAC_LEN)?;
        self.mac(|key, parts| verify_hmac512(key, parts, tag))?;
        let nonce = r.array()?;
        let plaintext = aead::open(self.box_key(), &nonce, &self.aad(), r.rest())?;

        let mut r = Reader::new(&plaintext);
        let body_len = r.u32()? as usize;
        r.take(body_len)?;
        let signature = r.array()?;
        let zeros = r.rest().iter().all(|b| *b == 0);
        if !zeros || padded_len(body_len) != Some(plaintext.len()) {
            return Err(PairingError::Malformed);
        }
        Ok(Opened { body_len, signature, plaintext })
    }

    /// Checks that `signer` signed the offer for this run and this role.
    pub(super) fn verify(&self, offer: &Opened, signer: &IdentityPublic) -> Result<(), PairingError> {
        let verified =
            self.signed(offer.body(), |label, parts| signer.verify(label, parts, &offer.signature));
        Ok(verified?)
    }

    fn signed<T>(&self, body: &[u8], f: impl FnOnce(&[u8], &[&[u8]]) -> T) -> T {
        f(OFFER_LABEL, &[self.role.label(), &self.schedule.th, &sha256(&[body]), self.answers])
    }

    fn mac<T>(&self, f: impl FnOnce(&[u8], &[&[u8]]) -> T) -> T {
        let key = match self.role {
            Role::Initiator => &self.schedule.conf_a,
            Role::Responder => &self.schedule.conf_b,
        };
        f(key.as_ref(), &[self.role.label(), &self.schedule.th, self.answers])
    }

    fn box_key(&self) -> &[u8; 32] {
        match self.role {
            Role::Initiator => &self.schedule.box_a,
            Role::Responder => &self.schedule.box_b,
        }
    }

    fn aad(&self) -> Vec<u8> {
        [self.schedule.th.as_slice(), self.role.label(), self.answers].concat()
    }
}

impl Opened {
    pub(super) fn body(&self) -> &[u8] {
        // `open` took this many bytes after the length.
        self.plaintext.get(4..4 + self.body_len).unwrap_or_default()
    }
}

/// The one length that an offer with a body of this length may have.
fn padded_len(body_len: usize) -> Option<usize> {
    [SHORT, LONG].into_iter().find(|n| body_len <= n - FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_has_one_of_two_lengths() {
        assert_eq!(padded_len(0), Some(SHORT));
        assert_eq!(padded_len(SHORT - FRAME), Some(SHORT));
        assert_eq!(padded_len(SHORT - FRAME + 1), Some(LONG));
        assert_eq!(padded_len(MAX_BODY), Some(LONG));
        assert_eq!(padded_len(MAX_BODY + 1), None);
        const { assert!(MAC_LEN + NONCE_LEN + LONG + TAG_LEN <= 8192) };
    }
}

//! CPace, suite CPACE-RISTR255-SHA512, initiator/responder mode: draft-irtf-cfrg-cpace-21.
//!
//! The generator is a hash of the password, so each run gives either side exactly one guess and
//! nothing to test offline. Own code, because it is small and the draft has vectors for it; the
//! vectors and 200 differential runs against an independent implementation are in `tests`.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{CryptoError, kdf::sha512, public};
use crate::encoding::lv;

const DSI: &[u8] = b"CPaceRistretto255";
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// Input block of SHA-512: PRS and padding fill exactly one, so that hashing PRS costs the same
/// whatever its length.
const HASH_BLOCK: usize = 128;

/// A public share, Ya or Yb.
pub(crate) type Share = [u8; 32];
/// The intermediate session key.
pub(crate) type Isk = Zeroizing<[u8; 64]>;

/// The secret scalar of one side, for one run. [`Ephemeral::agree`] consumes it.
pub(crate) struct Ephemeral(Scalar);

impl Ephemeral {
    /// A fresh scalar, and the share to send, for the password-related string `prs`, the channel
    /// identifier `ci` and the session identifier `sid`.
    pub(crate) fn start(prs: &[u8], ci: &[u8], sid: &[u8], rng: &mut impl CryptoRng) -> (Self, Share) {
        let mut wide = Zeroizing::new([0u8; 64]);
        rng.fill_bytes(wide.as_mut());
        Self::with_scalar(prs, ci, sid, Scalar::from_bytes_mod_order_wide(&wide))
    }

    fn with_scalar(prs: &[u8], ci: &[u8], sid: &[u8], y: Scalar) -> (Self, Share) {
        let share = (generator(prs, ci, sid) * y).compress().to_bytes();
        (Self(y), share)
    }

    /// For the store of an invite, which must survive a restart between M1 and M2.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The scalar of a stored invite.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CryptoError> {
        let scalar = Self(Scalar::from_bytes_mod_order(*bytes));
        let canonical = public::outcome(scalar.0.as_bytes().ct_eq(bytes).into());
        if canonical { Ok(scalar) } else { Err(CryptoError) }
    }

    /// K = y·Y; refuses an undecodable or identity result (`scalar_mult_vfy`).
    pub(crate) fn agree(self, peer: &Share) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
        let mut k = decode(peer)? * self.0;
        if public::outcome(k.is_identity()) {
            return Err(CryptoError);
        }
        let bytes = Zeroizing::new(k.compress().to_bytes());
        k.zeroize();
        Ok(bytes)
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether `share` decodes to a group element other than the identity: what a responder checks
/// before it spends anything on a run.
pub(crate) fn check_share(share: &Share) -> Result<(), CryptoError> {
    decode(share).map(|_| ())
}

/// ISK in initiator/responder mode: `H(lv_cat(DSI_ISK, sid, K) ‖ lv_cat(Ya, ADa) ‖ lv_cat(Yb, ADb))`.
pub(crate) fn isk(sid: &[u8], k: &[u8; 32], a: (&Share, &[u8]), b: (&Share, &[u8])) -> Isk {
    let mut input = Zeroizing::new(Vec::new());
    for field in [DSI_ISK, sid, k, a.0, a.1, b.0, b.1] {
        lv(&mut input, field);
    }
    Zeroizing::new(sha512(&[&input]))
}

fn decode(share: &Share) -> Result<RistrettoPoint, CryptoError> {
    let point = CompressedRistretto(*share).decompress().ok_or(CryptoError)?;
    if point.is_identity() { Err(CryptoError) } else { Ok(point) }
}

/// Maps `generator_string(DSI, PRS, CI, sid, s_in_bytes)` to the group.
fn generator(prs: &[u8], ci: &[u8], sid: &[u8]) -> RistrettoPoint {
    let mut string = Zeroizing::new(Vec::new());
    lv(&mut string, DSI);
    lv(&mut string, prs);
    let pad = HASH_BLOCK.saturating_sub(1).saturating_sub(string.len());
    lv(&mut string, &[0u8; HASH_BLOCK][..pad]);
    lv(&mut string, ci);
    lv(&mut string, sid);
    RistrettoPoint::from_uniform_bytes(&sha512(&[&string]))
}

#[cfg(test)]
mod tests;

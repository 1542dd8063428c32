//! X25519 (RFC 7748). Every agreement is checked to be contributory.

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{CryptoError, public};
use crate::encoding::fixed_bytes;

fixed_bytes!(
    /// An X25519 public key.
    DhPublic,
    32
);

impl DhPublic {
    /// Refuses the points of low order: with those, any scalar at all gives zero.
    pub(crate) fn check_contributory(&self) -> Result<(), CryptoError> {
        DhKeyPair::from_secret_bytes(&[1; 32]).agree(self).map(drop)
    }
}

/// An X25519 key pair of the ratchet. The secret is wiped on drop.
#[derive(Clone)]
pub(crate) struct DhKeyPair {
    secret: StaticSecret,
    public: DhPublic,
}

impl DhKeyPair {
    /// A fresh pair.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret_bytes(&StaticSecret::random_from_rng(rng).to_bytes())
    }

    /// The pair of a stored secret.
    pub(crate) fn from_secret_bytes(secret: &[u8; 32]) -> Self {
        let secret = StaticSecret::from(*secret);
        let public = DhPublic::from_bytes(PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    /// The pair of a stored secret whose public half was stored beside it, which saves a base-point
    /// multiplication on every load.
    pub(crate) fn from_stored(secret: &[u8; 32], public: DhPublic) -> Self {
        Self { secret: StaticSecret::from(*secret), public }
    }

    /// The secret scalar, for the store.
    pub(crate) fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }

    /// The public half.
    pub(crate) fn public(&self) -> DhPublic {
        self.public
    }

    /// The shared secret; refuses a peer key of low order.
    pub(crate) fn agree(&self, peer: &DhPublic) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(*peer.as_bytes()));
        if !public::outcome(shared.was_contributory()) {
            return Err(CryptoError);
        }
        Ok(Zeroizing::new(shared.to_bytes()))
    }
}

impl std::fmt::Debug for DhKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DhKeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

//! The keys of an identity: the one that signs today, and the one that is committed to be next.

use rand_core::CryptoRng;

use super::{Root, Statement, StatementChain, StatementError};
use crate::crypto::CryptoError;
use crate::crypto::kdf::sha256;
use crate::crypto::sign::{VerifyKey, key_pair};
use crate::encoding::{Malformed, fixed_bytes};

fixed_bytes!(
    /// An identity key: Ed25519, pinned at the pairing.
    IdentityPublic,
    32
);
key_pair!(
    /// The key pair with which an identity signs today.
    IdentityKeyPair,
    IdentityPublic
);

/// An identity key that is decoded once for many verifications, for the peer whose key a pairing pinned.
/// Bytes that are no key verify nothing.
#[derive(Clone, Copy)]
pub struct PinnedKey {
    public: IdentityPublic,
    key: VerifyKey,
}

impl PinnedKey {
    /// The key as it was pinned.
    pub fn public(&self) -> IdentityPublic {
        self.public
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), CryptoError> {
        self.key.verify(message, &[], signature)
    }
}

impl From<IdentityPublic> for PinnedKey {
    fn from(public: IdentityPublic) -> Self {
        Self { public, key: VerifyKey::new(public.as_bytes()) }
    }
}

impl std::fmt::Debug for PinnedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PinnedKey").field(&self.public).finish()
    }
}

/// The key that may sign the identity's next statement, and beside that only the resets that bring it to peers. It
/// lies in a file of its own, never inside the store.
#[derive(Clone, Debug)]
pub struct NextKey(IdentityKeyPair);

impl NextKey {
    /// A fresh next key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(IdentityKeyPair::generate(rng))
    }

    /// The key of a stored seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(IdentityKeyPair::from_seed(seed))
    }

    /// What a statement commits to: H(next public key).
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[self.0.public().as_bytes()])
    }

    pub(crate) fn pair(&self) -> &IdentityKeyPair {
        &self.0
    }

    /// The seed, for the file that holds it.
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        self.0.seed()
    }
}

/// An agent's own identity: its signing key and the statements that prove it.
#[derive(Clone, Debug)]
pub struct Identity {
    key: IdentityKeyPair,
    statements: StatementChain,
}

impl Identity {
    /// A new identity and its next key, which the caller keeps apart.
    pub fn generate(rng: &mut impl CryptoRng) -> (Self, NextKey) {
        let key = IdentityKeyPair::generate(rng);
        let next = NextKey::generate(rng);
        let first = Statement::first(&key, next.digest());
        (Self { statements: StatementChain::of_first(first), key }, next)
    }

    /// The identity of a stored seed and statement chain; refuses a seed that the chain does not
    /// end in.
    pub fn from_parts(seed: &[u8; 32], statements: StatementChain) -> Result<Self, Malformed> {
        let key = IdentityKeyPair::from_seed(seed);
        if key.public() == statements.current() { Ok(Self { key, statements }) } else { Err(Malformed) }
    }

    /// The identity under a fresh key, and the key that may rotate it the next time. The old key speaks for it no
    /// more, and `next` is of no more use.
    ///
    /// # Errors
    /// [`StatementError::Invalid`] for a key that the last statement does not commit to,
    /// [`StatementError::Full`] after [`MAX_STATEMENTS`](super::MAX_STATEMENTS) statements.
    pub fn rotate(
        &self,
        next: &NextKey,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, NextKey), StatementError> {
        let (key, after) = (IdentityKeyPair::generate(rng), NextKey::generate(rng));
        let statements = self.statements.rotated(key.public(), &next.0, after.digest())?;
        Ok((Self { key, statements }, after))
    }

    /// The stable name.
    pub fn root(&self) -> Root {
        self.statements.root()
    }

    /// The proof of the current key, as a peer gets it.
    pub fn statements(&self) -> &StatementChain {
        &self.statements
    }

    /// The current key pair.
    pub fn key(&self) -> &IdentityKeyPair {
        &self.key
    }
}

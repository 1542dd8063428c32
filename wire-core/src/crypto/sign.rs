//! Ed25519 (RFC 8032), strict verification only: no small-order keys, canonical S.
//!
//! A message signed anywhere starts with its own label, so every call takes the label apart from
//! the rest. Labels live beside what they sign.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::CryptoError;

pub(crate) const SIGNATURE_LEN: usize = 64;

/// An Ed25519 key pair. Wiped on drop.
#[derive(Clone)]
pub(crate) struct SignKeyPair(SigningKey);

impl SignKeyPair {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `label ‖ parts`.
    pub(crate) fn sign(&self, label: &[u8], parts: &[&[u8]]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(&message(label, parts)).to_bytes()
    }
}

impl std::fmt::Debug for SignKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignKeyPair(..)")
    }
}

/// Verifies a signature over `label ‖ parts` with `verify_strict`.
pub(crate) fn verify(
    public: &[u8; 32],
    label: &[u8],
    parts: &[&[u8]],
    signature: &[u8; SIGNATURE_LEN],
) -> Result<(), CryptoError> {
    VerifyKey::new(public).verify(label, parts, signature)
}

/// A public key that is decoded once for many verifications. Bytes that are no key verify nothing.
#[derive(Clone, Copy)]
pub(crate) struct VerifyKey(Option<VerifyingKey>);

impl VerifyKey {
    pub(crate) fn new(public: &[u8; 32]) -> Self {
        Self(VerifyingKey::from_bytes(public).ok())
    }

    /// [`verify`] under this key.
    pub(crate) fn verify(
        &self,
        label: &[u8],
        parts: &[&[u8]],
        signature: &[u8; SIGNATURE_LEN],
    ) -> Result<(), CryptoError> {
        let key = self.0.as_ref().ok_or(CryptoError)?;
        key.verify_strict(&message(label, parts), &Signature::from_bytes(signature)).map_err(|_| CryptoError)
    }
}

fn message(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut m = Vec::with_capacity(label.len() + parts.iter().map(|p| p.len()).sum::<usize>());
    m.extend_from_slice(label);
    for p in parts {
        m.extend_from_slice(p);
    }
    m
}

/// An Ed25519 key pair of a given purpose: its public half is the newtype `$public`.
macro_rules! key_pair {
    ($(#[$doc:meta])* $name:ident, $public:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::crypto::sign::SignKeyPair);

        #[allow(dead_code, reason = "each key pair uses the part of this surface that it needs")]
        impl $name {
            /// A fresh key pair.
            pub fn generate(rng: &mut impl rand_core::CryptoRng) -> Self {
                Self($crate::crypto::sign::SignKeyPair::generate(rng))
            }

            /// The key pair of a stored 32-byte seed (RFC 8032 private key).
            pub fn from_seed(seed: &[u8; 32]) -> Self {
                Self($crate::crypto::sign::SignKeyPair::from_seed(seed))
            }

            /// The seed. It is secret: it goes into a store or a sealed offer, nowhere else.
            pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
                self.0.seed()
            }

            /// The public half.
            pub fn public(&self) -> $public {
                $public::from_bytes(self.0.public())
            }

            pub(crate) fn sign(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 64] {
                self.0.sign(label, parts)
            }
        }

        impl $public {
            /// Strict Ed25519 verification of `label ‖ parts` under this key.
            #[allow(dead_code, reason = "some keys only ever sign what this crate verifies elsewhere")]
            pub(crate) fn verify(
                &self,
                label: &[u8],
                parts: &[&[u8]],
                signature: &[u8; 64],
            ) -> Result<(), $crate::crypto::CryptoError> {
                $crate::crypto::sign::verify(self.as_bytes(), label, parts, signature)
            }
        }
    };
}
pub(crate) use key_pair;

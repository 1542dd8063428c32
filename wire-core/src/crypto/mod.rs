//! The primitives, each behind a newtype of its own. Own code: [`cpace`] only.

pub(crate) mod aead;
pub(crate) mod cpace;
pub(crate) mod dh;
pub(crate) mod kdf;
pub(crate) mod kem;
pub(crate) mod public;
pub(crate) mod sign;

/// A failure of a cryptographic check. It has no detail on purpose: which check failed is nobody's
/// business but ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cryptographic check failed")]
pub struct CryptoError;

#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod wycheproof;

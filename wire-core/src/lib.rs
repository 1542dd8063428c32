//! Wire: pair once with a short code; from then on two agents talk through a relay that cannot
//! read, forge, replay or silently drop what they say.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "client")]
pub mod agent;
pub mod encoding;
pub mod envelope;
pub mod identity;
pub mod mailbox;
pub mod manual;
pub mod pairing;
pub mod record;
pub mod recovery;
pub mod reset;
pub mod session;
pub mod spawn;
#[cfg(any(test, feature = "test-support"))]
#[doc(hidden)]
pub mod testing;
pub mod time;

mod crypto;
#[cfg(any(feature = "client", feature = "docker"))]
mod entropy;

#[cfg(feature = "client")]
pub use agent::{Agent, Config, Error, Result};

/// The programs of the README compile.
#[cfg(all(doctest, feature = "client", feature = "docker"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(test)]
mod tests_rng {
    /// The system's randomness, for tests that need no repeatable schedule.
    pub(crate) fn rng() -> impl rand_core::CryptoRng {
        rand_core::UnwrapErr(getrandom::SysRng)
    }
}

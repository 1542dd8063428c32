//! The recovery file: what an agent has to keep to be itself again after its machine is lost.
//!
//! 1. [`Contents`] are the identity, its next key, and of each peer who it is, both mailboxes, the reset keys and
//!    how far both chains were known. Never the state of a ratchet: a restored one would use keys again.
//! 2. [`RecoveryFile::lock`] derives a key of a [`Passphrase`] (Argon2id, RFC 9106), [`RecoveryFile::seal`] makes
//!    the bytes of the file.
//! 3. [`RecoveryFile::parse`] reads the header and bounds what it asks for, [`Header::unlock`] derives the key,
//!    [`RecoveryFile::open`] gives the contents, every signature and commitment in them checked.
//!
//! Deriving a key takes some hundred milliseconds and 64 MiB on purpose; nothing else here takes long.
//!
//! ```
//! use wire_core::identity::Identity;
//! use wire_core::recovery::{Contents, Passphrase, RecoveryFile};
//! use wire_core::time::Timestamp;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
//! let (identity, next) = Identity::generate(&mut rng);
//! let contents =
//!     Contents { saved: Timestamp::from_millis(0), name: "alice".into(), identity, next, relays: vec![], peers: vec![] };
//! let passphrase = Passphrase::new("four plain words suffice".to_owned())?;
//!
//! let file = RecoveryFile::lock(&passphrase, &mut rng)?.seal(&contents, &mut rng)?;
//! let header = RecoveryFile::parse(&file)?;
//! let again = header.unlock(&passphrase)?.open(&file)?;
//! assert_eq!(again.identity.root(), contents.identity.root());
//! assert_eq!(again.next.digest(), contents.identity.statements().next_digest());
//! # Ok(())
//! # }
//! ```

mod contents;
mod file;
mod passphrase;

#[cfg(test)]
mod tests;

pub use contents::{Contents, KnownRelay, PeerMailbox, SavedChains, SavedPeer};
pub use file::{Header, MAX_FILE, RecoveryError, RecoveryFile};
pub use passphrase::{Passphrase, PassphraseError};

#[cfg(any(test, feature = "test-support"))]
pub(crate) use file::FileKey;

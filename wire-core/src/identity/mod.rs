//! Who an agent is: a signing key with a stable name that survives the key's rotation.
//!
//! 1. [`Identity::generate`] makes the first key, and the *next* one, whose hash the first
//!    [`Statement`] commits to (pre-rotation). The next key is kept apart ([`NextKey`]) and signs nothing but the
//!    next statement, and the resets of sessions that bring it.
//! 2. The [`Root`] is the hash of the first key and that commitment. It is the name in policies and records,
//!    written `wid:` and base32, and no rotation changes it.
//! 3. [`Identity::rotate`] puts a fresh key in the place of the present one.
//! 4. A [`StatementChain`] proves which key speaks for a root today.
//!
//! A thief of the current key cannot rotate, because only the holder of the next key can sign the
//! statement that the present one committed to; and it cannot tell anybody another history, for it signed none of
//! it but the first statement, which the name covers.
//!
//! ```
//! use wire_core::identity::{Identity, StatementChain};
//! # let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
//! let (alice, next) = Identity::generate(&mut rng);
//! let chain = StatementChain::verify(alice.statements().to_bytes()).unwrap();
//! assert_eq!(chain.root(), alice.root());
//! assert_eq!(chain.next_digest(), next.digest());
//! assert!(alice.root().to_string().starts_with("wid:"));
//! ```

mod keypair;
mod root;
mod statement;

pub use keypair::{Identity, IdentityKeyPair, IdentityPublic, NextKey, PinnedKey};
pub use root::{ParseRootError, Root};
pub use statement::{MAX_STATEMENTS, STATEMENT_LEN, Statement, StatementChain, StatementError};

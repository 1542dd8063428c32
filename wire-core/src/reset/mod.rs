//! The reset of a session: two agents that are paired agree on a new session where the old one is lost, frozen or
//! rolled back, without a relay, a code or a new mailbox. PROTOCOL.md section 17.
//!
//! 1. The requester makes a [`Requester`]: a fresh key of the ratchet and of the KEM, in a signed RESET. It keeps
//!    [`Requester::to_bytes`] and sends [`Requester::message`].
//! 2. The other side checks it ([`Request::verify`], [`Request::is_timely`]), keeps it and shows it to its owner.
//!    Nothing else happens: whoever stole a store can make one too.
//! 3. When that owner has asked for it, [`Request::answer`] gives the signed RESET_OK and the new session.
//! 4. The requester takes it ([`Requester::accept`]) and has the same session.
//! 5. Both sides have [`CheckWords`]: each owner reads out one half and types what the other reads out. A session
//!    is used on a side when its owner has done so. The answerer alone may do without, and only where
//!    [`Request::is_rotation`]: no store holds the key that signed such a one.
//!
//! Messages travel in envelopes under the reset keys of the pairing: [`seal`], [`open`].
//!
//! ```
//! use wire_core::identity::Identity;
//! use wire_core::reset::{Request, Requester, Standing};
//! # use wire_core::testing::SeededRng;
//! # fn main() -> Result<(), wire_core::reset::ResetError> {
//! # let mut rng = SeededRng::new(1);
//! let (alice, _) = Identity::generate(&mut rng);
//! let (bob, _) = Identity::generate(&mut rng);
//!
//! let asked = Requester::new(&alice, None, bob.root(), 1, None, Standing::default(), &mut rng);
//! let request = Request::verify(asked.message(), bob.root(), alice.statements())?;
//! let (answer, b) = request.answer(&bob, Standing::default(), &mut rng)?;
//! let a = asked.accept(&answer, bob.statements(), &mut rng)?;
//!
//! assert_eq!(a.session.id(), b.session.id());
//! assert!(a.words.matches(&b.words.own())? && b.words.matches(&a.words.own())?);
//! # Ok(())
//! # }
//! ```

mod answer;
mod message;
mod request;
mod schedule;
mod words;

pub use answer::Agreed;
pub use message::Standing;
pub use request::{Request, Requester};
pub use words::CheckWords;

use rand_core::CryptoRng;

use crate::crypto::CryptoError;
use crate::crypto::kdf::sha256;
use crate::encoding::{Malformed, fixed_bytes};
use crate::envelope;
use crate::identity::Root;
use crate::pairing::{CodeError, ResetKey};

/// How far the counter of a RESET may be ahead of the receiver's time.
const MAX_AHEAD_MILLIS: u64 = 24 * 3_600_000;
const RESET: u8 = 3;
const RESET_OK: u8 = 4;

fixed_bytes!(
    /// H(RESET): what a RESET_OK answers.
    ResetHash,
    32
);

impl ResetHash {
    /// The hash of a message, signature included.
    pub fn of(message: &[u8]) -> Self {
        Self::from_bytes(sha256(&[message]))
    }
}

/// Why a RESET or RESET_OK is not taken. Nothing has changed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// Not the form of such a message.
    #[error("malformed reset")]
    Malformed,
    /// It is from somebody else, or for somebody else.
    #[error("the reset is not between these two")]
    NotForUs,
    /// Its statements do not continue those that are pinned: it is of a key that was replaced.
    #[error("the reset is of a key that was replaced, or of another history")]
    Stale,
    /// A RESET_OK that answers another RESET.
    #[error("the answer is to another reset")]
    AnotherReset,
    /// A signature or key agreement does not hold.
    #[error("cryptographic check failed")]
    Crypto,
    /// The words that were typed are none, or not eight.
    #[error("eight words of the list are wanted")]
    NoWords,
}

impl From<Malformed> for ResetError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<CryptoError> for ResetError {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

impl From<CodeError> for ResetError {
    fn from(_: CodeError) -> Self {
        Self::NoWords
    }
}

/// What an envelope of the reset holds; unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// RESET.
    Request(Vec<u8>),
    /// RESET_OK.
    Answer(Vec<u8>),
}

/// Makes the envelope of a message, under the own reset key of the pairing. None where it would be longer than
/// `max_envelope`.
pub fn seal(
    key: &ResetKey,
    (from, to): (Root, Root),
    message: &Message,
    max_envelope: usize,
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let (kind, bytes) = match message {
        Message::Request(bytes) => (RESET, bytes),
        Message::Answer(bytes) => (RESET_OK, bytes),
    };
    let payload = [&[kind], bytes.as_slice()].concat();
    let len = envelope::sealed_len(payload.len()).filter(|len| *len <= max_envelope)?;
    Some(envelope::seal_reset(key.expose(), &context(from, to), &payload, len, rng))
}

/// Opens an envelope under the peer's reset key of the pairing. None where its header is of another key.
pub fn open(
    key: &ResetKey,
    (from, to): (Root, Root),
    envelope: &[u8],
) -> Option<Result<Message, ResetError>> {
    let payload = envelope::open_reset(key.expose(), &context(from, to), envelope)?;
    Some(payload.map_err(ResetError::from).and_then(|payload| match payload.split_first() {
        Some((&RESET, bytes)) => Ok(Message::Request(bytes.to_vec())),
        Some((&RESET_OK, bytes)) => Ok(Message::Answer(bytes.to_vec())),
        _ => Err(ResetError::Malformed),
    }))
}

fn context(from: Root, to: Root) -> envelope::ResetContext {
    let mut context = [0u8; 64];
    let (first, second) = context.split_at_mut(32);
    first.copy_from_slice(from.as_bytes());
    second.copy_from_slice(to.as_bytes());
    context
}

#[cfg(test)]
mod tests;

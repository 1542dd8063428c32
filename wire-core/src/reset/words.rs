//! The words by which two owners find out whether anybody stands between their agents.
//!
//! Each side reads out one half and types the other, so nobody can say that they are the same without having
//! compared them. Either half alone has 88 bits: whoever stands in between sees the RESET days before it has to
//! answer, and nothing commits it to its own keys before that, so it may try as many as it can compute; and a
//! side that was fooled alone has lost what it says.

use std::fmt;

use zeroize::Zeroizing;

use super::ResetError;
use crate::pairing::SecretWords;

/// Eight words of eleven bits.
pub(super) const WORD_BYTES: usize = 11;

/// Both halves, as one side has them. `Debug` hides them.
#[derive(Clone)]
pub struct CheckWords {
    own: SecretWords,
    peer: SecretWords,
}

impl CheckWords {
    pub(super) fn new(own: &[u8; WORD_BYTES], peer: &[u8; WORD_BYTES]) -> Self {
        Self { own: SecretWords::of_bits(own), peer: SecretWords::of_bits(peer) }
    }

    /// The words of a stored pair: what [`own`](Self::own) and [`peer`](Self::peer) gave.
    pub fn from_stored(own: &str, peer: &str) -> Result<Self, ResetError> {
        Ok(Self { own: eight(own)?, peer: eight(peer)? })
    }

    /// The eight words that the owner of this side reads out, joined by spaces.
    pub fn own(&self) -> Zeroizing<String> {
        Zeroizing::new(self.own.joined().replace('-', " "))
    }

    /// The eight words that the other owner has to read out: for the store alone. Who shows them makes the
    /// comparison worthless.
    pub fn peer(&self) -> Zeroizing<String> {
        Zeroizing::new(self.peer.joined().replace('-', " "))
    }

    /// Whether these are the words of the other half. Letter case, separators and the ends of words behind their
    /// first four letters do not matter.
    ///
    /// # Errors
    /// [`ResetError::NoWords`] for what is not eight words of the list.
    pub fn matches(&self, typed: &str) -> Result<bool, ResetError> {
        Ok(eight(typed)?.is_same(&self.peer))
    }
}

fn eight(text: &str) -> Result<SecretWords, ResetError> {
    let words = SecretWords::parse(text)?;
    if words.count() == SecretWords::MAX { Ok(words) } else { Err(ResetError::NoWords) }
}

impl fmt::Debug for CheckWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckWords(..)")
    }
}

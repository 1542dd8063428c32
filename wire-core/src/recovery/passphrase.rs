//! What a person knows and nobody guesses.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

/// Fewest characters of a new passphrase.
const MIN_CHARS: usize = 12;
/// Fewest different ones among them.
const MIN_DISTINCT: usize = 6;
/// Most bytes.
const MAX_BYTES: usize = 1024;

/// A passphrase that a recovery file cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Too easy to find by trying.
    #[error("the passphrase is too short: a new one has at least {MIN_CHARS} characters")]
    Short,
    /// The same few characters again and again.
    #[error(
        "the passphrase is too plain: at least {MIN_DISTINCT} of its characters have to be different ones"
    )]
    Plain,
    /// Nobody types that.
    #[error("the passphrase is longer than {MAX_BYTES} bytes")]
    Long,
    /// A line break, or another character that cannot be typed.
    #[error("the passphrase has a line break or another control character in it")]
    Control,
}

/// A passphrase: its bytes in UTF-8, exactly as they were given. Wiped on drop, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase, strong or not.
    ///
    /// # Errors
    /// [`PassphraseError::Long`], [`PassphraseError::Control`].
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        let text = Zeroizing::new(text);
        if text.len() > MAX_BYTES {
            Err(PassphraseError::Long)
        } else if text.chars().any(char::is_control) {
            Err(PassphraseError::Control)
        } else {
            Ok(Self(text))
        }
    }

    /// Whether a new file may have it: 12 characters, 6 different ones among them. Four words drawn at random are
    /// worth more than any rule about characters.
    ///
    /// # Errors
    /// [`PassphraseError::Short`], [`PassphraseError::Plain`].
    pub fn check_strength(&self) -> Result<(), PassphraseError> {
        if self.0.chars().count() < MIN_CHARS {
            return Err(PassphraseError::Short);
        }
        let distinct: BTreeSet<char> = self.0.chars().collect();
        if distinct.len() < MIN_DISTINCT { Err(PassphraseError::Plain) } else { Ok(()) }
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

//! What goes wrong in a pairing, by who must act.

use crate::crypto::CryptoError;
use crate::encoding::Malformed;

/// A pairing that ended. Whatever the variant, the code or invite is used up: the state that
/// returned it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// The other side or the relay sent something that is not a pairing message.
    #[error("malformed pairing message")]
    Malformed,
    /// The other side speaks another version of the pairing.
    #[error("the other side speaks another version of the pairing")]
    Version,
    /// The other side offers, or chose, no suite that this side knows and offered.
    #[error("no suite in common with the other side")]
    Suite,
    /// A cryptographic check failed: other words, other relay, or someone in between.
    #[error("wrong code, or someone guessed; make a new code")]
    Failed,
    /// The other side is this very agent.
    #[error("an agent cannot pair with itself")]
    SelfPairing,
    /// The caller's own relay address is not `http(s)://HOST[:PORT]`, or longer than 255 bytes.
    #[error("own relay address is not usable in an offer")]
    OwnUrl,
    /// The caller's own display name is longer than 64 bytes or has invisible characters.
    #[error("own display name is longer than 64 bytes or has characters that cannot be shown")]
    OwnDisplay,
    /// The caller's certificate names another sender than the one offered.
    #[error("own certificate is for another sender")]
    OwnCertificate,
    /// The state of a typed code lives in memory only.
    #[error("a typed code cannot be stored")]
    NotDurable,
    /// Stored state is damaged, or of another version.
    #[error("stored pairing state is malformed")]
    Stored,
}

impl From<CryptoError> for PairingError {
    fn from(_: CryptoError) -> Self {
        Self::Failed
    }
}

impl From<Malformed> for PairingError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Text that is not a code. Found before any network traffic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The text does not begin with a number.
    #[error("a code begins with its number, as in 4821-canyon-velvet-oyster")]
    NoNameplate,
    /// The number has fewer than 4 or more than 9 digits.
    #[error("the number of a code has 4 to 9 digits")]
    BadNameplate,
    /// Fewer than three words.
    #[error("a code has at least 3 words")]
    TooFewWords,
    /// More than eight words.
    #[error("a code has at most 8 words")]
    TooManyWords,
    /// A word that is not in the list. What was typed is nearly a secret: show it to whoever typed it,
    /// and log it nowhere.
    #[error("no such word \"{word}\"{}", suggestion(*nearest))]
    UnknownWord {
        /// What was typed, bounded, with everything but printable ASCII escaped.
        word: String,
        /// The word of the list that is nearest, if one is near.
        nearest: Option<&'static str>,
    },
    /// What follows `@` is not `HOST[:PORT]` or `http(s)://HOST[:PORT]`.
    #[error("what follows @ is not a relay: expected HOST[:PORT] or http(s)://HOST[:PORT]")]
    BadRelay,
    /// Longer than any code.
    #[error("the code is too long")]
    TooLong,
}

/// Text that is not an invite link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Not `http(s)://HOST[:PORT]/j#...`.
    #[error("not an invite link: expected https://HOST/j#1.SECRET")]
    NotALink,
    /// The part after `#` is of another version.
    #[error("the invite link is of another version")]
    Version,
    /// The secret is cut off or mistyped.
    #[error("the invite link is damaged or cut off")]
    Damaged,
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |w| format!(" - did you mean \"{w}\"?"))
}

//! The stable name of an agent.

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXUPPER};

use super::IdentityPublic;
use crate::crypto::kdf::sha256;
use crate::encoding::fixed_bytes;

const PREFIX: &str = "wid:";

fixed_bytes!(
    /// H("wire/id/1" ‖ first identity key ‖ first next_digest): the stable name of an agent, whatever keys it has
    /// had.
    ///
    /// `Display` writes `wid:` and lower-case base32, which [`FromStr`] reads back.
    Root,
    32
);

impl Root {
    /// The root of an agent whose first statement names the key `first` and commits to `next_digest`.
    pub fn of(first: &IdentityPublic, next_digest: &[u8; 32]) -> Self {
        Self::from_bytes(sha256(&[b"wire/id/1", first.as_bytes(), next_digest]))
    }

    /// The first six bytes, as people compare them: `7F3A-91C2-0B5D`. For display only; nothing
    /// reads it back.
    pub fn fingerprint(&self) -> String {
        let hex = HEXUPPER.encode(self.as_bytes());
        format!("{}-{}-{}", &hex[..4], &hex[4..8], &hex[8..12])
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(self.as_bytes()).to_ascii_lowercase())
    }
}

/// Text that is not a `wid:` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an agent name: expected `wid:` and 52 base32 characters")]
pub struct ParseRootError;

impl FromStr for Root {
    type Err = ParseRootError;

    fn from_str(text: &str) -> Result<Self, ParseRootError> {
        let body = text.strip_prefix(PREFIX).ok_or(ParseRootError)?;
        if body.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseRootError);
        }
        BASE32_NOPAD
            .decode(body.to_ascii_uppercase().as_bytes())
            .ok()
            .and_then(|b| Self::from_slice(&b).ok())
            .ok_or(ParseRootError)
    }
}

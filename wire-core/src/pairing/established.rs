//! What a finished pairing leaves.

use std::fmt;

use super::PeerOffer;
use super::words::word;
use crate::encoding::secret_bytes;
use crate::session::Session;

const SAS_WORDS: usize = 5;

/// Both sides have proved the secret and their identity. The peer stays *pending* until its first
/// record verifies; until then nobody is told that it is paired.
#[derive(Debug)]
pub struct Established {
    /// The session, ready to seal and open.
    pub session: Session,
    /// Who is there, and how to post to it.
    pub peer: PeerOffer,
    /// Words to compare by voice, where the code crossed a channel that others read.
    pub sas: Sas,
    /// The header keys of a later reset; kept for as long as the peer is.
    pub reset_keys: ResetKeys,
    /// Which side of the pairing this was.
    pub role: Role,
}

/// A side of a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A: made the code and sent the first message.
    Initiator,
    /// B: was given the code.
    Responder,
}

impl Role {
    /// The side as it stands in tags, boxes and signatures.
    pub(super) const fn label(self) -> &'static [u8] {
        match self {
            Self::Initiator => b"A",
            Self::Responder => b"B",
        }
    }
}

secret_bytes!(
    /// The key that seals the header of a reset in one direction.
    ResetKey,
    32
);

/// The reset keys of both directions.
#[derive(Clone, Debug)]
pub struct ResetKeys {
    /// Seals our resets.
    pub own: ResetKey,
    /// Opens the peer's.
    pub peer: ResetKey,
}

/// The short authentication string: five words (55 bits) that are equal on both sides exactly when
/// nobody stands in between. `Display` writes `canoe lamp velvet orbit fence`; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sas([u16; SAS_WORDS]);

impl Sas {
    /// The first 55 bits, eleven to a word.
    pub(super) fn new(bits: &[u8; 8]) -> Self {
        let bits = u64::from_be_bytes(*bits);
        Self(std::array::from_fn(|i| (bits >> (53 - 11 * i)) as u16 & 0x7ff))
    }

    /// The words.
    pub fn words(&self) -> [&'static str; SAS_WORDS] {
        self.0.map(word)
    }
}

impl fmt::Display for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sas(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sas_takes_eleven_bits_at_a_time_from_the_top() {
        let sas = |bits: u64| Sas::new(&bits.to_be_bytes()).to_string();
        assert_eq!(sas(0), "abandon abandon abandon abandon abandon");
        assert_eq!(sas(0x1ff), "abandon abandon abandon abandon abandon");
        assert_eq!(sas(0x200), "abandon abandon abandon abandon ability");
        assert_eq!(sas(1 << 53), "ability abandon abandon abandon abandon");
        assert_eq!(sas(u64::MAX), "zoo zoo zoo zoo zoo");
        assert_eq!(format!("{:?}", Sas::new(&[0; 8])), "Sas(..)");
    }
}

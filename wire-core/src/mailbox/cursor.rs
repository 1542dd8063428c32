//! Where in a mailbox one is: which life of the mailbox, and which envelope of it.

use crate::encoding::fixed_bytes;

fixed_bytes!(
    /// One life of a mailbox: random, new whenever the mailbox is created or its store restored. A
    /// sequence number means nothing outside it.
    Incarnation,
    16
);

impl Incarnation {
    /// A fresh one.
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0u8; Self::LEN];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

/// A position in a mailbox: envelope `seq` of one incarnation; the first envelope has number 1, so
/// 0 is the position before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The life of the mailbox that `seq` counts in.
    pub incarnation: Incarnation,
    /// The number of the envelope.
    pub seq: u64,
}

//! Long secrets: bytes that are erased when they are dropped, at the speed of `memset`.

use std::ops::Deref;

/// Bytes that are wiped on drop and redacted in `Debug`.
///
/// Not a `Zeroizing<Vec<u8>>`, which writes byte by byte: for a large message that takes a tenth of
/// the time that sealing or opening it takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// Lets `fill` write at most `capacity` bytes: a buffer that grew would leave a copy behind.
    pub(crate) fn with_capacity(capacity: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Self(Vec::with_capacity(capacity));
        fill(&mut bytes.0);
        debug_assert!(bytes.len() <= capacity);
        bytes
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        zeroize::optimization_barrier(self.0.as_slice());
    }
}

impl std::fmt::Debug for Wiped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wiped({} bytes)", self.0.len())
    }
}

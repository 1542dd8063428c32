//! Repeatable randomness: SHA-256 over a seed and a counter.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::crypto::kdf;

/// A random generator that gives the same bytes for the same seed, on every machine and for ever:
/// block i is SHA-256(seed8 ‖ i8), big-endian.
#[derive(Clone, Debug)]
pub struct SeededRng {
    seed: u64,
    block: u64,
    left: Vec<u8>,
}

impl SeededRng {
    /// The generator of this seed, at its start.
    pub fn new(seed: u64) -> Self {
        Self { seed, block: 0, left: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(b) = self.left.pop() {
                return b;
            }
            self.left = kdf::sha256(&[&self.seed.to_be_bytes(), &self.block.to_be_bytes()]).to_vec();
            self.left.reverse();
            self.block += 1;
        }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0u8; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0u8; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        dst.fill_with(|| self.byte());
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

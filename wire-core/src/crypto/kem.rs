//! ML-KEM-768 (FIPS 203), one key pair per pairing.

use ml_kem::{B32, DecapsulationKey768, EncapsulationKey768, Seed};
use ml_kem::{Decapsulate as _, KeyExport as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::CryptoError;
use crate::encoding::secret_bytes;

pub(crate) const EK_LEN: usize = 1184;
pub(crate) const CT_LEN: usize = 1088;

secret_bytes!(
    /// The seed (d ‖ z) from which the key pair is expanded; what an invite persists.
    KemSeed,
    64
);

impl KemSeed {
    fn key(&self) -> DecapsulationKey768 {
        DecapsulationKey768::from_seed(Seed::from(*self.expose()))
    }

    /// The encapsulation key that goes into M1.
    pub(crate) fn encapsulation_key(&self) -> [u8; EK_LEN] {
        self.key().encapsulation_key().to_bytes().into()
    }

    /// The shared secret. A ciphertext that was not made for this key gives an unrelated secret
    /// (implicit rejection), so the confirmation fails, not this call.
    pub(crate) fn decapsulate(&self, ct: &[u8; CT_LEN]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key().decapsulate(&(*ct).into()).into())
    }
}

/// Encapsulates to `ek`; refuses a key with a coefficient at or above the modulus.
pub(crate) fn encapsulate(
    ek: &[u8; EK_LEN],
    rng: &mut impl CryptoRng,
) -> Result<([u8; CT_LEN], Zeroizing<[u8; 32]>), CryptoError> {
    let mut m = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(m.as_mut());
    encapsulate_deterministic(ek, &m)
}

/// Whether [`encapsulate`] takes this key.
pub(crate) fn check_key(ek: &[u8; EK_LEN]) -> Result<(), CryptoError> {
    EncapsulationKey768::new(&(*ek).into()).map(drop).map_err(|_| CryptoError)
}

/// [`encapsulate`] with the message given: for the vectors.
pub(crate) fn encapsulate_deterministic(
    ek: &[u8; EK_LEN],
    m: &[u8; 32],
) -> Result<([u8; CT_LEN], Zeroizing<[u8; 32]>), CryptoError> {
    let key = EncapsulationKey768::new(&(*ek).into()).map_err(|_| CryptoError)?;
    let (ct, ss) = key.encapsulate_deterministic(&B32::from(*m));
    Ok((ct.into(), Zeroizing::new(ss.into())))
}

#[cfg(test)]
mod tests;

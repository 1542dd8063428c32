//! SHA-2, HMAC (RFC 2104) and HKDF (RFC 5869), spelled once.

use hmac::Mac as _;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::CryptoError;

/// SHA-256 over the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut h = Sha256::new();
    for p in parts {
        h.update(p);
    }
    h.finalize().into()
}

/// SHA-512 over the concatenation of `parts`.
pub(crate) fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut h = Sha512::new();
    for p in parts {
        h.update(p);
    }
    h.finalize().into()
}

macro_rules! hmac_fn {
    ($name:ident, $hash:ty, $len:expr) => {
        fn $name(key: &[u8]) -> hmac::Hmac<$hash> {
            // HMAC takes a key of any length; the error arm cannot be reached.
            match <hmac::Hmac<$hash> as hmac::KeyInit>::new_from_slice(key) {
                Ok(m) => m,
                Err(_) => <hmac::Hmac<$hash> as hmac::KeyInit>::new(&Default::default()),
            }
        }
    };
}
hmac_fn!(mac256, Sha256, 32);
hmac_fn!(mac512, Sha512, 64);

/// HMAC-SHA256.
pub(crate) fn hmac256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut m = mac256(key);
    for p in parts {
        m.update(p);
    }
    m.finalize().into_bytes().into()
}

/// HMAC-SHA256 of two one-byte messages under one key, which is scheduled once.
pub(crate) fn hmac256_pair(key: &[u8; 32], first: u8, second: u8) -> [Zeroizing<[u8; 32]>; 2] {
    let keyed = mac256(key);
    [first, second].map(|message| {
        let mut m = keyed.clone();
        m.update(&[message]);
        Zeroizing::new(m.finalize().into_bytes().into())
    })
}

/// HMAC-SHA512.
pub(crate) fn hmac512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut m = mac512(key);
    for p in parts {
        m.update(p);
    }
    m.finalize().into_bytes().into()
}

/// Checks an HMAC-SHA512 tag in constant time.
pub(crate) fn verify_hmac512(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
    let mut m = mac512(key);
    for p in parts {
        m.update(p);
    }
    m.verify_slice(tag).map_err(|_| CryptoError)
}

/// HKDF-SHA256, extract and expand in one; `N` at most 255·32, or it does not compile.
pub(crate) fn hkdf256<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32) };
    let mut out = Zeroizing::new([0u8; N]);
    let h = hkdf::Hkdf::<Sha256>::new(Some(salt), ikm);
    let fits = h.expand(info, out.as_mut()).is_ok();
    debug_assert!(fits);
    out
}

/// HKDF-SHA512 after its extract step: derives any number of outputs by name.
pub(crate) struct Prk512(hkdf::Hkdf<Sha512>);

impl Prk512 {
    pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Self {
        Self(hkdf::Hkdf::new(Some(salt), ikm))
    }

    /// The output named `prefix ‖ name`; `N` at most 255·64, or it does not compile.
    pub(crate) fn expand<const N: usize>(&self, prefix: &[u8], name: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 64) };
        let mut out = Zeroizing::new([0u8; N]);
        let fits = self.0.expand_multi_info(&[prefix, name], out.as_mut()).is_ok();
        debug_assert!(fits);
        out
    }
}

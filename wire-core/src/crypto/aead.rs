//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): 24-byte nonce, 16-byte tag.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use super::CryptoError;

pub(crate) const NONCE_LEN: usize = 24;
pub(crate) const TAG_LEN: usize = 16;

/// Seals `buf` in place and appends the tag.
pub(crate) fn seal_in_place(key: &[u8; 32], nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut Vec<u8>) {
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt_in_place(nonce.into(), aad, buf);
    // Fails only past 256 GiB.
    debug_assert!(sealed.is_ok());
}

/// Seals a copy of `plaintext`.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut buf = Vec::with_capacity(plaintext.len() + TAG_LEN);
    buf.extend_from_slice(plaintext);
    seal_in_place(key, nonce, aad, &mut buf);
    buf
}

/// Seals `buf` in place and returns the tag: for a caller that lays the bytes out itself.
pub(crate) fn seal_detached(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buf: &mut [u8],
) -> [u8; TAG_LEN] {
    let cipher = XChaCha20Poly1305::new(key.into());
    if let Ok(tag) = cipher.encrypt_inout_detached(nonce.into(), aad, (&mut *buf).into()) {
        return tag.into();
    }
    // Reached only past 256 GiB; even then nothing may leave in clear.
    buf.fill(0);
    [0; TAG_LEN]
}

/// Opens `buf` in place under a tag that lies elsewhere. On failure its content is unspecified and
/// must not be used.
pub(crate) fn open_detached(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buf: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), CryptoError> {
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, buf.into(), tag.into())
        .map_err(|_| CryptoError)
}

/// Opens `buf` in place: afterwards it holds the plaintext. On failure its content is unspecified
/// and must not be used.
pub(crate) fn open_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buf: &mut Vec<u8>,
) -> Result<(), CryptoError> {
    XChaCha20Poly1305::new(key.into()).decrypt_in_place(nonce.into(), aad, buf).map_err(|_| CryptoError)
}

/// Opens a copy of `ciphertext`.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<zeroize::Zeroizing<Vec<u8>>, CryptoError> {
    let mut buf = zeroize::Zeroizing::new(ciphertext.to_vec());
    open_in_place(key, nonce, aad, &mut buf)?;
    Ok(buf)
}

//! The fields of an envelope by position. Everything that can be refused without a key is refused
//! here.

use super::{EnvelopeError, HARD_MAX, HEADER_LEN, MIN_LEN, PREFIX_LEN, SUITE, VERSION};
use crate::crypto::aead::{NONCE_LEN, TAG_LEN};
use crate::encoding::{Malformed, Reader};

/// Checks what can be checked without a key: a padded length of at most `max` (never more than
/// [`HARD_MAX`]), a known version and a known suite.
pub fn check(envelope: &[u8], max: usize) -> Result<(), EnvelopeError> {
    let (len, max) = (envelope.len(), max.min(HARD_MAX));
    if len > max {
        return Err(EnvelopeError::TooLarge { len, max });
    }
    if len < MIN_LEN || !len.is_power_of_two() {
        return Err(EnvelopeError::Length { len });
    }
    match envelope {
        [VERSION, SUITE, ..] => Ok(()),
        [VERSION, suite, ..] => Err(EnvelopeError::Suite(*suite)),
        [version, ..] => Err(EnvelopeError::Version(*version)),
        [] => Err(EnvelopeError::Length { len }),
    }
}

/// A checked envelope, split.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// Everything before the body: the head of its associated data.
    pub(super) prefix: &'a [u8; PREFIX_LEN],
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) header: [u8; HEADER_LEN],
    pub(super) header_tag: [u8; TAG_LEN],
    pub(super) body: &'a [u8],
    pub(super) body_tag: &'a [u8; TAG_LEN],
}

impl<'a> Parts<'a> {
    /// Splits `envelope` after [`check`] against [`HARD_MAX`].
    pub(crate) fn parse(envelope: &'a [u8]) -> Result<Self, Malformed> {
        check(envelope, HARD_MAX).map_err(|_| Malformed)?;
        let (prefix, sealed) = envelope.split_first_chunk().ok_or(Malformed)?;
        let (body, body_tag) = sealed.split_last_chunk().ok_or(Malformed)?;
        let mut r = Reader::new(prefix);
        r.take(2)?;
        let parts =
            Self { prefix, nonce: r.array()?, header: r.array()?, header_tag: r.array()?, body, body_tag };
        r.finish()?;
        Ok(parts)
    }

    pub(super) fn nonce(&self) -> &[u8; NONCE_LEN] {
        &self.nonce
    }

    /// nonce ‖ hdr: the part that only a holder of the header key can make.
    pub(crate) fn nonce_and_header(&self) -> &'a [u8] {
        let (_, fields) = self.prefix.split_at(2);
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::DEFAULT_MAX;

    fn envelope(len: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; len];
        for (b, v) in bytes.iter_mut().zip([VERSION, SUITE]) {
            *b = v;
        }
        bytes
    }

    #[test]
    fn only_padded_lengths_within_the_limit_pass() {
        for len in [512, 1024, 65_536] {
            assert_eq!(check(&envelope(len), DEFAULT_MAX), Ok(()));
        }
        for len in [0, 1, 82, 256, 511, 513, 1536] {
            assert_eq!(check(&envelope(len), DEFAULT_MAX), Err(EnvelopeError::Length { len }));
        }
        let too_large = EnvelopeError::TooLarge { len: 131_072, max: DEFAULT_MAX };
        assert_eq!(check(&envelope(131_072), DEFAULT_MAX), Err(too_large));
        assert_eq!(check(&envelope(HARD_MAX), usize::MAX), Ok(()));
        let too_large = EnvelopeError::TooLarge { len: HARD_MAX + 1, max: HARD_MAX };
        assert_eq!(check(&envelope(HARD_MAX + 1), usize::MAX), Err(too_large));
    }

    #[test]
    fn unknown_versions_and_suites_are_named() {
        let mut bytes = envelope(512);
        bytes[1] = 9;
        assert_eq!(check(&bytes, DEFAULT_MAX), Err(EnvelopeError::Suite(9)));
        bytes[0] = 2;
        assert_eq!(check(&bytes, DEFAULT_MAX), Err(EnvelopeError::Version(2)));
        assert!(Parts::parse(&bytes).is_err());
    }
}

//! Size classes: an envelope is as long as the smallest 512·2^k that holds it, and what follows the
//! payload is zeros, which the receiver checks.

use super::{HARD_MAX, LEN_LEN, MIN_LEN, OVERHEAD};
use crate::crypto::{CryptoError, public};
use crate::encoding::Wiped;

/// Length of the envelope that carries `payload` bytes; `None` if that is over [`HARD_MAX`].
pub fn sealed_len(payload: usize) -> Option<usize> {
    let len = payload.checked_add(OVERHEAD)?.checked_next_power_of_two()?.max(MIN_LEN);
    (len <= HARD_MAX).then_some(len)
}

/// The largest payload in an envelope of at most `max_envelope` bytes: 65,434 for the default of
/// 64 KiB, 0 below the smallest envelope. A limit that is no size class counts as the class below
/// it.
pub fn max_payload(max_envelope: usize) -> usize {
    let max = max_envelope.min(HARD_MAX);
    match max.checked_ilog2() {
        Some(bits) if max >= MIN_LEN => (1usize << bits) - OVERHEAD,
        _ => 0,
    }
}

/// What an envelope carried. Derefs to the bytes; wiped on drop, redacted in `Debug`.
pub struct Payload {
    /// `len4 ‖ payload ‖ zeros`.
    body: Wiped,
    len: usize,
}

impl Payload {
    /// Takes an encrypted body, which `open` decrypts in place to `len4 ‖ payload ‖ zeros`. Refuses
    /// a length that does not fit, a byte of padding other than zero, and more padding than the
    /// smallest class needs.
    pub(crate) fn open(
        body: &[u8],
        open: impl FnOnce(&mut [u8]) -> Result<(), CryptoError>,
    ) -> Result<Self, CryptoError> {
        let copied = Wiped::with_capacity(body.len(), |out| out.extend_from_slice(body));
        let mut payload = Self { body: copied, len: 0 };
        open(payload.body.as_mut_slice())?;
        public::bytes(&payload.body);
        let (len, rest) = payload.body.split_first_chunk::<LEN_LEN>().ok_or(CryptoError)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| CryptoError)?;
        let (_, zeros) = rest.split_at_checked(len).ok_or(CryptoError)?;
        // Folded, not searched: this runs over up to half of the envelope, and vectorises.
        let clean = zeros.iter().fold(0u8, |acc, b| acc | b) == 0;
        let smallest = sealed_len(len) == Some(payload.body.len() + OVERHEAD - LEN_LEN);
        if !clean || !smallest {
            return Err(CryptoError);
        }
        payload.len = len;
        Ok(payload)
    }
}

impl std::ops::Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.body.get(LEN_LEN..LEN_LEN + self.len).unwrap_or_default()
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(len: u32, payload: &[u8], zeros: usize) -> Result<Vec<u8>, CryptoError> {
        let body = [&len.to_be_bytes(), payload, &vec![0; zeros]].concat();
        Payload::open(&body, |_| Ok(())).map(|p| p.to_vec())
    }

    #[test]
    fn every_payload_length_gets_the_smallest_class_that_fits() {
        for max in [512, 1024, 65_536, HARD_MAX] {
            let most = max_payload(max);
            assert_eq!(sealed_len(most), Some(max));
            assert_ne!(sealed_len(most + 1), Some(max));
            assert_eq!(max_payload(max + 1), if max == HARD_MAX { max_payload(HARD_MAX) } else { most });
        }
        assert_eq!(max_payload(65_536), 65_434);
        assert_eq!(sealed_len(0), Some(512));
        assert_eq!(sealed_len(max_payload(HARD_MAX) + 1), None);
        assert_eq!(sealed_len(usize::MAX), None);
        assert_eq!((max_payload(0), max_payload(511)), (0, 0));
    }

    #[test]
    fn padding_comes_off_only_if_it_is_what_the_sender_must_have_put_on() {
        let full = 512 - OVERHEAD;
        assert_eq!(stripped(3, b"abc", full - 3), Ok(b"abc".to_vec()));
        assert_eq!(stripped(0, b"", full), Ok(vec![]));
        assert_eq!(stripped(full as u32, &vec![7; full], 0), Ok(vec![7; full]));
        // a byte after the payload, a length past the end, and one class too many
        assert_eq!(stripped(2, b"abc", full - 3), Err(CryptoError));
        assert_eq!(stripped(full as u32 + 1, b"abc", full - 3), Err(CryptoError));
        assert_eq!(stripped(u32::MAX, b"abc", full - 3), Err(CryptoError));
        assert_eq!(stripped(3, b"abc", 1024 - OVERHEAD - 3), Err(CryptoError));
        assert_eq!(Payload::open(&[0; 3], |_| Ok(())).unwrap_err(), CryptoError);
        assert_eq!(Payload::open(&[0; 414], |_| Err(CryptoError)).unwrap_err(), CryptoError);
    }
}

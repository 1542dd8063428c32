//! Names of records: the id that an application sees and the hash that the chain is made of.

use std::{fmt, str::FromStr};

use rand_core::CryptoRng;

use crate::encoding::fixed_bytes;
use crate::time::Timestamp;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TEXT_LEN: usize = 26;

fixed_bytes!(
    /// The stable id of a record: 48 bits of milliseconds, 80 bits of randomness. `Display` writes
    /// it as a ULID (26 characters of Crockford base32), which [`FromStr`] reads back.
    RecordId,
    16
);

fixed_bytes!(
    /// H("wire/rec/1 hash" ‖ COSE_Sign1 bytes): what the next record's `prev` names.
    RecordHash,
    32
);

impl RecordId {
    /// A fresh id made at `now`.
    pub fn generate(now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0u8; 16];
        rng.fill_bytes(&mut bytes);
        let [.., a, b, c, d, e, f] = now.as_millis().to_be_bytes();
        for (slot, byte) in bytes.iter_mut().zip([a, b, c, d, e, f]) {
            *slot = byte;
        }
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(*self.as_bytes());
        let text: String = (0..TEXT_LEN)
            .rev()
            .filter_map(|i| CROCKFORD.get(((value >> (5 * i)) & 31) as usize))
            .map(|b| char::from(*b))
            .collect();
        f.pad(&text)
    }
}

/// Text that is not a record id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record id: expected 26 characters such as 01K9ZQ6J5T4M2P8W7X3Y0V1N9B")]
pub struct ParseRecordIdError;

impl FromStr for RecordId {
    type Err = ParseRecordIdError;

    fn from_str(text: &str) -> Result<Self, ParseRecordIdError> {
        if text.len() != TEXT_LEN {
            return Err(ParseRecordIdError);
        }
        let mut value = 0u128;
        for (i, byte) in text.bytes().enumerate() {
            let upper = byte.to_ascii_uppercase();
            let digit = CROCKFORD.iter().position(|c| *c == upper).ok_or(ParseRecordIdError)?;
            // 26 characters hold 130 bits: the first may only use three of its five.
            if i == 0 && digit > 7 {
                return Err(ParseRecordIdError);
            }
            value = value << 5 | digit as u128;
        }
        Ok(Self::from_bytes(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_rng::rng;

    #[test]
    fn text_round_trips_sorts_by_time_and_refuses_what_does_not_fit() {
        let early = RecordId::generate(Timestamp::from_millis(1_000), &mut rng());
        let late = RecordId::generate(Timestamp::from_millis(2_000_000_000_000), &mut rng());
        for id in [early, late, RecordId::from_bytes([0xff; 16])] {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        }
        assert!(early.to_string() < late.to_string());
        for bad in
            ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01K9ZQ6J5T4M2P8W7X3Y0V1N9U", "01K9ZQ6J5T4M2P8W7X3Y0V1N9"]
        {
            assert_eq!(bad.parse::<RecordId>(), Err(ParseRecordIdError), "{bad}");
        }
    }
}

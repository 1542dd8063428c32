//! Strict deterministic CBOR (RFC 8949 §4.2.1).
//!
//! One rule gives strictness: what was decoded is encoded again, and the two byte strings must be
//! equal. So a non-minimal integer, an indefinite length, an unknown or doubled key, a wrong order,
//! a tag and trailing bytes are all refused, whatever the decoder would have put up with.
//!
//! ```
//! use wire_core::encoding::cbor;
//! let bytes = cbor::to_vec(&(1u8, 500u16));
//! assert_eq!(bytes, [0x82, 0x01, 0x19, 0x01, 0xf4]);
//! assert_eq!(cbor::from_slice::<(u8, u16)>(&bytes).unwrap(), (1, 500));
//! // 1 written in two bytes is the same number, and is refused
//! assert!(cbor::from_slice::<(u8, u16)>(&[0x82, 0x18, 0x01, 0x19, 0x01, 0xf4]).is_err());
//! ```

use super::{Malformed, Wiped};
use minicbor::{Decode, Encode};

/// Encodes `value`. Types of this crate encode deterministically: minimal heads, definite lengths,
/// map keys in rising order.
pub fn to_vec<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    match minicbor::encode(value, &mut out) {
        Ok(()) => out,
        // Writing to a `Vec` cannot fail, and no `Encode` of this crate has an error of its own.
        Err(_) => Vec::new(),
    }
}

/// [`to_vec`] of something secret: the bytes are counted first, so that no buffer grows and leaves a copy behind.
pub(crate) fn to_wiped<T: Encode<()>>(value: &T) -> Wiped {
    let mut count = Count(0);
    // As in `to_vec`: neither can fail.
    let _ = minicbor::encode(value, &mut count);
    Wiped::with_capacity(count.0, |out| {
        let _ = minicbor::encode(value, out);
    })
}

/// [`from_slice`] for secret bytes.
pub(crate) fn from_secret_slice<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let value: T = minicbor::decode(bytes).map_err(|_| Malformed)?;
    if *to_wiped(&value) == *bytes { Ok(value) } else { Err(Malformed) }
}

/// Counts what is written.
struct Count(usize);

impl minicbor::encode::Write for Count {
    type Error = core::convert::Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

/// Decodes the whole of `bytes`, and refuses every encoding but the deterministic one.
pub fn from_slice<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let value: T = minicbor::decode(bytes).map_err(|_| Malformed)?;
    if to_vec(&value) == bytes { Ok(value) } else { Err(Malformed) }
}

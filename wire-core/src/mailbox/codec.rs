//! Structs as CBOR arrays: the fields in order, each written by a named codec, nulls explicit.
//!
//! An array codec derived by the CBOR library leaves trailing nulls out, so [`message!`] writes
//! every field. `from_bytes` goes through [`cbor::from_slice`], which accepts one encoding only.
//!
//! [`cbor::from_slice`]: crate::encoding::cbor::from_slice

use minicbor::bytes::{ByteSlice, ByteVec};
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::time::Timestamp;

/// Encodes the struct `$name` as an array of `$len` fields, and gives it `to_bytes`, `from_bytes`.
macro_rules! message {
    ($name:ident [$len:literal] { $($field:ident: $codec:ident),+ $(,)? }) => {
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                c: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.array($len)?;
                $($crate::mailbox::codec::$codec::encode(&self.$field, e, c)?;)+
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                c: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                $crate::mailbox::codec::array_of(d, $len)?;
                Ok(Self { $($field: $crate::mailbox::codec::$codec::decode(d, c)?),+ })
            }
        }

        $crate::mailbox::codec::to_and_from_bytes!($name);
    };
}

/// `to_bytes` and `from_bytes` of a type that has a strict codec.
macro_rules! to_and_from_bytes {
    ($name:ident) => {
        impl $name {
            /// The deterministic CBOR encoding.
            pub fn to_bytes(&self) -> Vec<u8> {
                $crate::encoding::cbor::to_vec(self)
            }

            /// Parses the one encoding that [`Self::to_bytes`] writes.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, $crate::encoding::Malformed> {
                $crate::encoding::cbor::from_slice(bytes)
            }
        }
    };
}

pub(crate) use message;
pub(crate) use to_and_from_bytes;

/// Takes the head of an array of exactly `len` elements.
pub(crate) fn array_of(d: &mut Decoder<'_>, len: u64) -> Result<(), decode::Error> {
    if d.array()? == Some(len) { Ok(()) } else { Err(decode::Error::message("array length")) }
}

/// Values with a codec of their own.
pub(crate) mod plain {
    use super::*;

    pub(crate) fn encode<C, T: Encode<C>, W: Write>(
        x: &T,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        x.encode(e, c)
    }

    pub(crate) fn decode<'b, C, T: Decode<'b, C>>(
        d: &mut Decoder<'b>,
        c: &mut C,
    ) -> Result<T, decode::Error> {
        T::decode(d, c)
    }
}

/// A byte string.
pub(crate) mod bytes {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &[u8],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(x)?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
        d.bytes().map(<[u8]>::to_vec)
    }
}

/// A byte string of fixed width.
pub(crate) mod fixed {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &[u8],
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        bytes::encode(x, e, c)
    }

    pub(crate) fn decode<C, const N: usize>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<[u8; N], decode::Error> {
        d.bytes()?.try_into().map_err(|_| decode::Error::message("length"))
    }
}

/// A byte string or null.
pub(crate) mod maybe_bytes {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &Option<Vec<u8>>,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        x.as_deref().map(<&ByteSlice>::from).encode(e, c)
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Option<Vec<u8>>, decode::Error> {
        Ok(Option::<ByteVec>::decode(d, c)?.map(Vec::from))
    }
}

/// Milliseconds since 1970.
pub(crate) mod millis {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &Timestamp,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u64(x.as_millis())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Timestamp, decode::Error> {
        d.u64().map(Timestamp::from_millis)
    }
}

/// An array of byte strings.
pub(crate) mod byte_strings {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &[Vec<u8>],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(x.len() as u64)?;
        for bytes in x {
            e.bytes(bytes)?;
        }
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<Vec<u8>>, decode::Error> {
        d.array_iter::<ByteVec>()?.map(|x| x.map(Vec::from)).collect()
    }
}

/// An array of `[number, byte string]`.
pub(crate) mod numbered {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        x: &[(u64, Vec<u8>)],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(x.len() as u64)?;
        for (n, bytes) in x {
            e.array(2)?.u64(*n)?.bytes(bytes)?;
        }
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<(u64, Vec<u8>)>, decode::Error> {
        d.array_iter::<(u64, ByteVec)>()?.map(|x| x.map(|(n, b)| (n, b.into()))).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::encoding::Malformed;

    /// Pins `hex`, and shows that the value comes back from it, and from no truncated, extended or
    /// widened form of it.
    #[track_caller]
    pub(crate) fn pinned<T: PartialEq + std::fmt::Debug>(
        value: &T,
        to_bytes: impl Fn(&T) -> Vec<u8>,
        from_bytes: impl Fn(&[u8]) -> Result<T, Malformed>,
        hex: &str,
    ) {
        let bytes = to_bytes(value);
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), hex.replace([' ', '\n'], ""));
        assert_eq!(from_bytes(&bytes).as_ref(), Ok(value));
        for n in 0..bytes.len() {
            assert_eq!(from_bytes(&bytes[..n]), Err(Malformed), "first {n} bytes");
        }
        assert_eq!(from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(Malformed));
        // The same array with its length in two bytes.
        let mut wide = vec![0x98, bytes[0] & 0x1f];
        wide.extend_from_slice(&bytes[1..]);
        assert_eq!(from_bytes(&wide), Err(Malformed));
    }
}

//! What entitles to a new mailbox or a place: nothing, an operator's token, a pairing, or work.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use zeroize::Zeroizing;

use super::codec::fixed;
use super::rendezvous::kind_of;
use super::{ClientToken, Rendezvous};
use crate::crypto::kdf::sha256;
use crate::encoding::Malformed;

const WORK_LABEL: &[u8] = b"wire/work/1";
const MAX_OPERATOR_TOKEN: usize = 128;

/// `null` | `["op", token]` | `["np", place, token]` | `["work", challenge16, answer8]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// None: enough at an open relay.
    None,
    /// The operator gave this token out.
    Operator(OperatorToken),
    /// The client holds this place; good for one mailbox.
    Pairing {
        /// The place.
        place: Rendezvous,
        /// The client's token there.
        token: ClientToken,
    },
    /// The client has worked, see [`solve_work`].
    Work {
        /// What the relay asked.
        challenge: [u8; 16],
        /// What the client found.
        answer: [u8; 8],
    },
}

/// A token that the operator of a relay gives out: 1 to 128 bytes, secret.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorToken(Zeroizing<Vec<u8>>);

impl OperatorToken {
    /// Takes 1 to 128 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, Malformed> {
        if (1..=MAX_OPERATOR_TOKEN).contains(&bytes.len()) {
            Ok(Self(Zeroizing::new(bytes.to_vec())))
        } else {
            Err(Malformed)
        }
    }

    /// H(token), which is what a relay keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.0])
    }
}

impl std::fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorToken(..)")
    }
}

/// Finds the answer to a relay's challenge: the first 8-byte counter `x` for which
/// SHA-256("wire/work/1" ‖ challenge ‖ x) begins with `bits` zero bits. Takes about 2^bits hashes;
/// `None` if `bits` is over 32, which no honest relay asks.
///
/// ```
/// use wire_core::mailbox::{proves_work, solve_work};
/// let answer = solve_work(&[7; 16], 10).unwrap();
/// assert!(proves_work(&[7; 16], &answer, 10));
/// ```
pub fn solve_work(challenge: &[u8; 16], bits: u8) -> Option<[u8; 8]> {
    if bits > 32 {
        return None;
    }
    (0..u64::MAX).map(u64::to_be_bytes).find(|answer| proves_work(challenge, answer, bits))
}

/// Whether `answer` has the asked number of zero bits.
pub fn proves_work(challenge: &[u8; 16], answer: &[u8; 8], bits: u8) -> bool {
    let digest = sha256(&[WORK_LABEL, challenge, answer]);
    let mut zeros = 0u32;
    for byte in digest {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros >= u32::from(bits)
}

impl<C> Encode<C> for Right {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::None => e.null()?.ok(),
            Self::Operator(token) => e.array(2)?.str("op")?.bytes(&token.0)?.ok(),
            Self::Pairing { place, token } => {
                e.array(3)?.str("np")?;
                place.encode(e, c)?;
                token.encode(e, c)
            }
            Self::Work { challenge, answer } => {
                e.array(3)?.str("work")?.bytes(challenge)?.bytes(answer)?.ok()
            }
        }
    }
}

impl<'b, C> Decode<'b, C> for Right {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::None);
        }
        let mut ahead = d.clone();
        ahead.array()?;
        match ahead.str()? {
            "op" => {
                kind_of(d, "op", 2)?;
                OperatorToken::new(d.bytes()?)
                    .map(Self::Operator)
                    .map_err(|_| decode::Error::message("token"))
            }
            "np" => {
                kind_of(d, "np", 3)?;
                Ok(Self::Pairing { place: Decode::decode(d, c)?, token: Decode::decode(d, c)? })
            }
            "work" => {
                kind_of(d, "work", 3)?;
                Ok(Self::Work { challenge: fixed::decode(d, c)?, answer: fixed::decode(d, c)? })
            }
            _ => Err(decode::Error::message("right")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::cbor;
    use crate::mailbox::Nameplate;

    #[test]
    fn rights_are_pinned() {
        let cases = [
            (Right::None, "f6"),
            (Right::Operator(OperatorToken::new(b"abc").unwrap()), "82 626f70 43616263"),
            (
                Right::Pairing {
                    place: Rendezvous::Nameplate("4821".parse::<Nameplate>().unwrap()),
                    token: ClientToken::from_bytes([9; 32]),
                },
                "83 626e70 6434383231 58200909090909090909090909090909090909090909090909090909090909090909",
            ),
            (
                Right::Work { challenge: [0xcc; 16], answer: [1; 8] },
                "83 64776f726b 50cccccccccccccccccccccccccccccccc 480101010101010101",
            ),
        ];
        for (right, hex) in cases {
            let bytes = cbor::to_vec(&right);
            assert_eq!(data_encoding::HEXLOWER.encode(&bytes), hex.replace(' ', ""));
            assert_eq!(cbor::from_slice::<Right>(&bytes), Ok(right));
            for n in 0..bytes.len() {
                assert_eq!(cbor::from_slice::<Right>(&bytes[..n]), Err(Malformed), "first {n}");
            }
        }
        assert_eq!(cbor::from_slice::<Right>(b"\x81\x62op"), Err(Malformed));
        assert_eq!(cbor::from_slice::<Right>(b"\x82\x62op\x40"), Err(Malformed));
        assert_eq!(cbor::from_slice::<Right>(b"\x82\x62oq\x41a"), Err(Malformed));
    }

    #[test]
    fn work_needs_its_bits_and_its_challenge() {
        let answer = solve_work(&[1; 16], 12).unwrap();
        assert!(proves_work(&[1; 16], &answer, 12));
        assert!(!(0..=16).all(|i| proves_work(&[i + 2; 16], &answer, 12)));
        assert!(!proves_work(&[1; 16], &answer, 64));
        assert_eq!(solve_work(&[1; 16], 33), None);
    }

    #[test]
    fn an_operator_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", OperatorToken::new(b"secret").unwrap()), "OperatorToken(..)");
    }
}

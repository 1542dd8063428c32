//! What a relay says when it does not do what it was asked: a status and `[code, time, detail or null]`.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::Incarnation;
use super::codec::{array_of, fixed};
use crate::time::Timestamp;

/// Why a relay refused.
///
/// Whoever has not proved that it holds the right to what it asks gets [`Refusal::NotFound`],
/// whatever is the case; all others are said only after certificate and signature verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 404: there is no such thing, or you have not proved that it is yours.
    #[error("the relay has nothing of this name for this caller")]
    NotFound,
    /// 400: the body does not have the shape that the protocol gives it.
    #[error("the relay could not read the request")]
    Malformed,
    /// 401: a new mailbox or code needs a right that was not shown.
    #[error("the relay wants a right for this")]
    RightWanted,
    /// 403: the certificate's epoch was revoked.
    #[error("the right to post was revoked")]
    OldEpoch,
    /// 403: the request's time is more than 120 s off; sign again with the time of this answer.
    #[error("the clock is too far from the relay's")]
    Skew,
    /// 409: the cursor is of another life of the mailbox, or names an envelope that is not there.
    /// Nothing was deleted.
    #[error("the position is not one of this mailbox")]
    Stale {
        /// The life of the mailbox.
        incarnation: Incarnation,
        /// The first envelope that can be read.
        first: u64,
        /// The last envelope that was stored.
        head: u64,
    },
    /// 409: another client has it, or wrote other bytes.
    #[error("taken by another client")]
    Taken,
    /// 413: the body, batch or slot is larger than the relay takes.
    #[error("too large for the relay")]
    TooLarge,
    /// 429: the certificate's bytes of this day are used up.
    #[error("over the quota")]
    Quota {
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// 429: too many of these from this address.
    #[error("too many requests")]
    Rate {
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// 429: show work, see [`solve_work`](super::solve_work).
    #[error("the relay wants a proof of work")]
    Work {
        /// What to work on.
        challenge: [u8; 16],
        /// How many zero bits the hash must begin with.
        bits: u8,
    },
    /// 503: not now. Nothing is known about whether it was done.
    #[error("the relay is not ready")]
    Unavailable {
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// 507: the relay's disk is full.
    #[error("the relay has no room")]
    Full,
}

impl Refusal {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::RightWanted => 401,
            Self::OldEpoch | Self::Skew => 403,
            Self::NotFound => 404,
            Self::Stale { .. } | Self::Taken => 409,
            Self::TooLarge => 413,
            Self::Quota { .. } | Self::Rate { .. } | Self::Work { .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::Full => 507,
        }
    }

    /// The code in the body.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "none",
            Self::Malformed => "malformed",
            Self::RightWanted => "right",
            Self::OldEpoch => "old_epoch",
            Self::Skew => "skew",
            Self::Stale { .. } => "stale",
            Self::Taken => "taken",
            Self::TooLarge => "too_large",
            Self::Quota { .. } => "quota",
            Self::Rate { .. } => "rate",
            Self::Work { .. } => "work",
            Self::Unavailable { .. } => "unavailable",
            Self::Full => "full",
        }
    }

    /// Seconds for the `Retry-After` header.
    pub const fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Quota { retry_after } | Self::Rate { retry_after } | Self::Unavailable { retry_after } => {
                Some(*retry_after)
            }
            Self::Work { .. } => Some(0),
            Self::NotFound
            | Self::Malformed
            | Self::RightWanted
            | Self::OldEpoch
            | Self::Skew
            | Self::Stale { .. }
            | Self::Taken
            | Self::TooLarge
            | Self::Full => None,
        }
    }

    /// The same bytes may be accepted later, without anything having been changed by the caller.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Quota { .. } | Self::Rate { .. } | Self::Unavailable { .. } | Self::Full)
    }
}

/// The body of every answer that is not a success.
///
/// ```
/// use wire_core::mailbox::{Refusal, Refused};
/// use wire_core::time::Timestamp;
/// let refused = Refused { refusal: Refusal::OldEpoch, time: Timestamp::from_millis(7) };
/// assert_eq!(refused.refusal.status(), 403);
/// assert_eq!(Refused::from_bytes(&refused.to_bytes())?, refused);
/// # Ok::<(), wire_core::encoding::Malformed>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The relay's time; it is not signed, so a client corrects its clock by the relay's proof alone.
    pub time: Timestamp,
}

impl<C> Encode<C> for Refused {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(3)?.str(self.refusal.code())?.u64(self.time.as_millis())?;
        match self.refusal {
            Refusal::Stale { incarnation, first, head } => (incarnation, first, head).encode(e, c),
            Refusal::Quota { retry_after }
            | Refusal::Rate { retry_after }
            | Refusal::Unavailable { retry_after } => e.u32(retry_after)?.ok(),
            Refusal::Work { challenge, bits } => WorkDetail { challenge, bits }.encode(e, c),
            Refusal::NotFound
            | Refusal::Malformed
            | Refusal::RightWanted
            | Refusal::OldEpoch
            | Refusal::Skew
            | Refusal::Taken
            | Refusal::TooLarge
            | Refusal::Full => e.null()?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Refused {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        array_of(d, 3)?;
        let code = d.str()?;
        let time = Timestamp::from_millis(d.u64()?);
        let refusal = match code {
            "stale" => {
                let (incarnation, first, head) = Decode::decode(d, c)?;
                Refusal::Stale { incarnation, first, head }
            }
            "quota" => Refusal::Quota { retry_after: d.u32()? },
            "rate" => Refusal::Rate { retry_after: d.u32()? },
            "unavailable" => Refusal::Unavailable { retry_after: d.u32()? },
            "work" => {
                let WorkDetail { challenge, bits } = Decode::decode(d, c)?;
                Refusal::Work { challenge, bits }
            }
            plain => {
                d.null()?;
                [
                    Refusal::NotFound,
                    Refusal::Malformed,
                    Refusal::RightWanted,
                    Refusal::OldEpoch,
                    Refusal::Skew,
                    Refusal::Taken,
                    Refusal::TooLarge,
                    Refusal::Full,
                ]
                .into_iter()
                .find(|r| r.code() == plain)
                .ok_or_else(|| decode::Error::message("code"))?
            }
        };
        Ok(Self { refusal, time })
    }
}

super::codec::to_and_from_bytes!(Refused);

struct WorkDetail {
    challenge: [u8; 16],
    bits: u8,
}

impl<C> Encode<C> for WorkDetail {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?;
        fixed::encode(&self.challenge, e, c)?;
        e.u8(self.bits)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for WorkDetail {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        array_of(d, 2)?;
        Ok(Self { challenge: fixed::decode(d, c)?, bits: d.u8()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Malformed;
    use crate::mailbox::codec::tests::pinned;

    #[test]
    fn refusals_are_pinned() {
        let incarnation = Incarnation::from_bytes([0xaa; 16]);
        let cases = [
            (Refusal::NotFound, 404, "83 646e6f6e65 05 f6"),
            (Refusal::Malformed, 400, "83 696d616c666f726d6564 05 f6"),
            (Refusal::RightWanted, 401, "83 657269676874 05 f6"),
            (Refusal::OldEpoch, 403, "83 696f6c645f65706f6368 05 f6"),
            (Refusal::Skew, 403, "83 64736b6577 05 f6"),
            (
                Refusal::Stale { incarnation, first: 2, head: 9 },
                409,
                "83 657374616c65 05 83 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 02 09",
            ),
            (Refusal::Taken, 409, "83 6574616b656e 05 f6"),
            (Refusal::TooLarge, 413, "83 69746f6f5f6c61726765 05 f6"),
            (Refusal::Quota { retry_after: 60 }, 429, "83 6571756f7461 05 183c"),
            (Refusal::Rate { retry_after: 1 }, 429, "83 6472617465 05 01"),
            (
                Refusal::Work { challenge: [0xcc; 16], bits: 20 },
                429,
                "83 64776f726b 05 82 50cccccccccccccccccccccccccccccccc 14",
            ),
            (Refusal::Unavailable { retry_after: 2 }, 503, "83 6b756e617661696c61626c65 05 02"),
            (Refusal::Full, 507, "83 6466756c6c 05 f6"),
        ];
        for (refusal, status, hex) in cases {
            assert_eq!(refusal.status(), status);
            let refused = Refused { refusal, time: Timestamp::from_millis(5) };
            pinned(&refused, Refused::to_bytes, Refused::from_bytes, hex);
        }
    }

    #[test]
    fn an_unknown_code_is_refused() {
        assert_eq!(Refused::from_bytes(b"\x83\x61x\x05\xf6"), Err(Malformed));
        // A code that carries a detail does not do without one.
        assert_eq!(Refused::from_bytes(b"\x83\x64rate\x05\xf6"), Err(Malformed));
    }
}

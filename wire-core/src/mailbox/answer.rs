//! What a mailbox answers: `[time, incarnation, ..]`, time being the relay's.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::Incarnation;
use super::codec::{message, to_and_from_bytes};
use crate::time::Timestamp;

/// Answer to create, ack, epoch and delete: it is so, and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The relay's time.
    pub time: Timestamp,
    /// The life of the mailbox.
    pub incarnation: Incarnation,
}

message!(Done[2] { time: millis, incarnation: plain });

/// Answer to post (status 202): one verdict for each envelope, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The relay's time.
    pub time: Timestamp,
    /// The life of the mailbox.
    pub incarnation: Incarnation,
    /// What became of each envelope.
    pub verdicts: Vec<Verdict>,
    /// Until when the relay keeps what it stored now.
    pub expires_at: Timestamp,
}

message!(Posted[4] { time: millis, incarnation: plain, verdicts: plain, expires_at: millis });

/// What became of one posted envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// On disk, at the end of the mailbox.
    Stored,
    /// The very same bytes wait there already.
    Same,
    /// The very same bytes were there, and the owner has acknowledged them.
    AckedBefore,
    /// Over the certificate's or the relay's quota. Nothing behind it was stored either.
    Quota,
    /// Larger than the certificate or the relay allows.
    TooLarge,
}

impl Verdict {
    /// The relay holds the envelope, or held it until its owner had it.
    pub const fn is_relayed(self) -> bool {
        matches!(self, Self::Stored | Self::Same | Self::AckedBefore)
    }

    const fn code(self) -> u8 {
        match self {
            Self::Stored => 0,
            Self::Same => 1,
            Self::AckedBefore => 2,
            Self::Quota => 3,
            Self::TooLarge => 4,
        }
    }
}

impl<C> Encode<C> for Verdict {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.code())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Verdict {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let code = d.u8()?;
        [Self::Stored, Self::Same, Self::AckedBefore, Self::Quota, Self::TooLarge]
            .into_iter()
            .find(|v| v.code() == code)
            .ok_or_else(|| decode::Error::message("verdict"))
    }
}

/// Answer to poll: what waits after the position that was asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Page {
    /// The relay's time.
    pub time: Timestamp,
    /// The life of the mailbox.
    pub incarnation: Incarnation,
    /// The last envelope that the owner acknowledged.
    pub acked: u64,
    /// The last envelope that was stored; more than the last one here means: poll again.
    pub head: u64,
    /// Envelopes with their numbers, which rise but may have holes (what expired is gone).
    pub envelopes: Vec<(u64, Vec<u8>)>,
}

message!(Page[5] { time: millis, incarnation: plain, acked: plain, head: plain, envelopes: numbered });

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("acked", &self.acked)
            .field("head", &self.head)
            .field("envelopes", &self.envelopes.len())
            .finish_non_exhaustive()
    }
}

/// An answer without content, `[]`: slots are written and closed so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty;

impl<C> Encode<C> for Empty {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Empty {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        super::codec::array_of(d, 0).map(|()| Self)
    }
}

to_and_from_bytes!(Empty);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Malformed;
    use crate::mailbox::codec::tests::pinned;

    const INC: Incarnation = Incarnation::from_bytes([0xaa; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1000);

    #[test]
    fn answers_are_pinned() {
        pinned(
            &Done { time: NOW, incarnation: INC },
            Done::to_bytes,
            Done::from_bytes,
            "82 1903e8 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        );
        pinned(
            &Posted {
                time: NOW,
                incarnation: INC,
                verdicts: vec![
                    Verdict::Stored,
                    Verdict::Same,
                    Verdict::AckedBefore,
                    Verdict::Quota,
                    Verdict::TooLarge,
                ],
                expires_at: NOW.plus_millis(1),
            },
            Posted::to_bytes,
            Posted::from_bytes,
            "84 1903e8 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 85 00 01 02 03 04 1903e9",
        );
        pinned(
            &Page {
                time: NOW,
                incarnation: INC,
                acked: 3,
                head: 6,
                envelopes: vec![(4, vec![1, 2]), (6, vec![])],
            },
            Page::to_bytes,
            Page::from_bytes,
            "85 1903e8 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 03 06 82 82 04 420102 82 06 40",
        );
        pinned(&Empty, Empty::to_bytes, Empty::from_bytes, "80");
    }

    #[test]
    fn an_unknown_verdict_is_refused() {
        let bytes =
            Posted { time: NOW, incarnation: INC, verdicts: vec![Verdict::TooLarge], expires_at: NOW };
        let mut bytes = bytes.to_bytes();
        let at = bytes.len() - 4;
        assert_eq!(bytes[at], 4);
        bytes[at] = 5;
        assert_eq!(Posted::from_bytes(&bytes), Err(Malformed));
    }
}

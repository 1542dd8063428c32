//! The acknowledgement that every record and control message carries, over the *peer's* chain.

use minicbor::{Decode, Encode, decode, encode};

use super::RecordHash;
use crate::envelope::EnvelopeHash;

/// The most ranges in [`Ack::except`].
pub const MAX_EXCEPT: usize = 256;
/// The most ranges in [`Ack::missing`].
pub const MAX_MISSING: usize = 16;
/// The most hashes in [`Ack::unopenable`].
pub const MAX_UNOPENABLE: usize = 16;

/// Largest number that a record may carry, so that every store can hold it: 2^63 - 1.
pub(crate) const MAX_NUMBER: u64 = i64::MAX as u64;

/// Why a record was received but will not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The receiver does not take this kind of record, or rejected this one.
    Refused,
    /// Its `exp` had passed, or it came without a body.
    Expired,
    /// The receiver's application failed on it too often.
    Poison,
}

/// An inclusive range of sequence numbers, encoded `[from, to]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqRange {
    /// First of the range, at least 1.
    pub from: u64,
    /// Last of the range, at least `from`.
    pub to: u64,
}

/// A range that was received but will not be processed, encoded `[from, to, reason]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Except {
    /// Which records.
    pub range: SeqRange,
    /// Why not.
    pub reason: Reason,
}

/// What one side says of the other side's chain. Keys 6 and 7 occur in control messages only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// Top of the contiguous run that is received and stored.
    #[n(1)]
    pub recv: u64,
    /// Hash of record `recv`; the session id while `recv` is 0.
    #[n(2)]
    pub head: RecordHash,
    /// Top of the contiguous run that is processed or excepted.
    #[n(3)]
    pub proc: u64,
    /// The highest `proc` of the receiver of this acknowledgement that its sender has stored.
    #[n(4)]
    pub seen: u64,
    #[cbor(n(5), decode_with = "bounded::<MAX_EXCEPT, _, _>", skip_if = "Vec::is_empty")]
    /// Records above the peer's `seen` that will not be processed.
    pub except: Vec<Except>,
    #[cbor(n(6), decode_with = "bounded::<MAX_MISSING, _, _>", skip_if = "Vec::is_empty")]
    /// Records that are missing below ones that are held.
    pub missing: Vec<SeqRange>,
    #[cbor(n(7), decode_with = "bounded::<MAX_UNOPENABLE, _, _>", skip_if = "Vec::is_empty")]
    /// The newest envelopes that no live key opens, while a gap is open.
    pub unopenable: Vec<EnvelopeHash>,
}

impl Ack {
    /// The acknowledgement of a chain of which nothing has come yet.
    pub fn nothing(session_id: &[u8; 32]) -> Self {
        Self {
            recv: 0,
            head: RecordHash::from_bytes(*session_id),
            proc: 0,
            seen: 0,
            except: Vec::new(),
            missing: Vec::new(),
            unopenable: Vec::new(),
        }
    }

    pub(crate) fn is_in_bounds(&self) -> bool {
        let numbers = [self.recv, self.proc, self.seen].into_iter().all(|n| n <= MAX_NUMBER);
        let counts = self.except.len() <= MAX_EXCEPT
            && self.missing.len() <= MAX_MISSING
            && self.unopenable.len() <= MAX_UNOPENABLE;
        let mut ranges = self.except.iter().map(|e| &e.range).chain(&self.missing);
        numbers && counts && ranges.all(SeqRange::is_in_bounds)
    }

    /// Envelopes that no key opens are named only while something is missing.
    pub(crate) fn names_unopenable_for_a_reason(&self) -> bool {
        self.unopenable.is_empty() || !self.missing.is_empty()
    }

    /// Whether the parts that only a control message may have are absent.
    pub(crate) fn is_plain(&self) -> bool {
        self.missing.is_empty() && self.unopenable.is_empty()
    }
}

impl SeqRange {
    fn is_in_bounds(&self) -> bool {
        self.from >= 1 && self.from <= self.to && self.to <= MAX_NUMBER
    }

    fn checked(from: u64, to: u64) -> Result<Self, decode::Error> {
        let range = Self { from, to };
        if range.is_in_bounds() { Ok(range) } else { Err(decode::Error::message("range")) }
    }
}

impl<C> Encode<C> for SeqRange {
    fn encode<W: encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.u64(self.from)?.u64(self.to)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SeqRange {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.array()?;
        Self::checked(d.u64()?, d.u64()?)
    }
}

impl<C> Encode<C> for Except {
    fn encode<W: encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let reason = match self.reason {
            Reason::Refused => 0,
            Reason::Expired => 1,
            Reason::Poison => 2,
        };
        e.array(3)?.u64(self.range.from)?.u64(self.range.to)?.u8(reason)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Except {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.array()?;
        let range = SeqRange::checked(d.u64()?, d.u64()?)?;
        let reason = match d.u8()? {
            0 => Reason::Refused,
            1 => Reason::Expired,
            2 => Reason::Poison,
            _ => return Err(decode::Error::message("reason")),
        };
        Ok(Self { range, reason })
    }
}

/// A list of at most `MAX`; an absent one is empty.
fn bounded<'b, const MAX: usize, C, T: Decode<'b, C>>(
    d: &mut minicbor::Decoder<'b>,
    ctx: &mut C,
) -> Result<Vec<T>, decode::Error> {
    match d.array()? {
        Some(n) if n <= MAX as u64 => (0..n).map(|_| T::decode(d, ctx)).collect(),
        Some(_) | None => Err(decode::Error::message("list")),
    }
}

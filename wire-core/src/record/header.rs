//! The signed payload of a record of the chain.

use std::fmt;

use minicbor::{Decode, Encode, decode, encode};

use super::ack::MAX_NUMBER;
#[cfg(feature = "client")]
use super::cose;
use super::{Ack, RecordHash, RecordId};
use crate::encoding::{Malformed, cbor};
use crate::identity::Root;
use crate::session::SessionId;
use crate::time::Timestamp;

/// Longest content type in bytes.
pub const MAX_CONTENT_TYPE: usize = 128;
const MAX_KIND: usize = 32;

/// What a record is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The first record of a session: which versions and kinds its sender knows.
    Hello,
    /// A message.
    Msg,
    /// A message that expects one reply.
    Ask,
    /// The reply to an ask, named in `re`.
    Reply,
    /// A new certificate for the sender's mailbox.
    Cert,
    /// The sender's identity has a new key; the body is its statement.
    Rotate,
    /// The sender's mailbox for the receiver is elsewhere; the body says how to post to it.
    Move,
    /// A kind that this version does not act on. It is received, and excepted as refused.
    Other(String),
}

impl Kind {
    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Hello => "hello",
            Self::Msg => "msg",
            Self::Ask => "ask",
            Self::Reply => "reply",
            Self::Cert => "cert",
            Self::Rotate => "rotate",
            Self::Move => "move",
            Self::Other(text) => text,
        }
    }

    fn is_plain(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        (1..=MAX_KIND).contains(&text.len()) && text.bytes().all(plain)
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        if !Self::is_plain(text) {
            return Err(Malformed);
        }
        Ok(match text {
            "hello" => Self::Hello,
            "msg" => Self::Msg,
            "ask" => Self::Ask,
            "reply" => Self::Reply,
            "cert" => Self::Cert,
            "rotate" => Self::Rotate,
            "move" => Self::Move,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<C> Encode<C> for Kind {
    fn encode<W: encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Kind {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::parse(d.str()?).map_err(|_| decode::Error::message("kind"))
    }
}

impl<C> Encode<C> for Timestamp {
    fn encode<W: encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u64(self.as_millis())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Timestamp {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.u64().map(Self::from_millis)
    }
}

/// The signed fields of a record, a CBOR map with the keys 1 to 14.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// The session that the record belongs to.
    #[n(1)]
    pub sid: SessionId,
    /// The sender's root.
    #[n(2)]
    pub from: Root,
    /// The receiver's root.
    #[n(3)]
    pub to: Root,
    /// Place in the sender's chain, from 1 without holes.
    #[n(4)]
    pub seq: u64,
    /// Hash of the record before; the session id for seq 1.
    #[n(5)]
    pub prev: RecordHash,
    /// What the sender says of the receiver's chain.
    #[n(6)]
    pub ack: Ack,
    /// The sender's clock: informative only.
    #[n(7)]
    pub ts: Timestamp,
    /// What the record is for.
    #[n(8)]
    pub kind: Kind,
    /// Media type of the body, at most [`MAX_CONTENT_TYPE`] bytes of visible ASCII.
    #[n(9)]
    pub ctype: String,
    /// The stable id.
    #[n(10)]
    pub id: RecordId,
    /// The record that this one answers.
    #[n(11)]
    pub re: Option<RecordId>,
    /// After this instant (relay time) the receiver excepts the record as expired.
    #[n(12)]
    pub exp: Option<Timestamp>,
    /// H(salt ‖ body).
    #[n(13)]
    pub body_hash: BodyHash,
    /// Length of the body in bytes.
    #[n(14)]
    pub body_len: u64,
}

crate::encoding::fixed_bytes!(
    /// H(salt16 ‖ body): commits to a body without letting it be guessed once it is pruned.
    BodyHash,
    32
);

impl Header {
    /// The fields of a record of our own, out of the COSE_Sign1 that is kept of it. No signature is checked.
    #[cfg(feature = "client")]
    pub(crate) fn of_own(cose: &[u8]) -> Result<Self, Malformed> {
        Self::decode(cose::payload(cose).ok_or(Malformed)?)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let header: Self = cbor::from_slice(bytes)?;
        header.check()?;
        Ok(header)
    }

    /// Whether a receiver would take these fields.
    pub(super) fn check(&self) -> Result<(), Malformed> {
        let fits = (1..=MAX_NUMBER).contains(&self.seq)
            && Self::takes_time(self.ts)
            && self.exp.is_none_or(Self::takes_time)
            && self.ack.is_in_bounds()
            && self.ack.is_plain()
            && Kind::is_plain(self.kind.as_str())
            && Self::takes_content_type(&self.ctype);
        if fits { Ok(()) } else { Err(Malformed) }
    }

    /// Whether a header takes this media type.
    pub(crate) fn takes_content_type(text: &str) -> bool {
        text.len() <= MAX_CONTENT_TYPE && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    }

    /// Whether a header takes this time.
    pub(crate) fn takes_time(at: Timestamp) -> bool {
        at.as_millis() <= MAX_NUMBER
    }
}

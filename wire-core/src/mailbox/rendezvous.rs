//! Where two clients that share only a code find each other: `/v1/pair/*`.
//!
//! 1. A allocates a place with the hash of its token, and gets digits (or brings an invite's id).
//! 2. B claims the place with the hash of its own token.
//! 3. A writes slots a1 and a2, B writes b1 and b2, each once; both read the other's.
//! 4. Either closes it; or it runs out.
//!
//! The tokens are random and local to one pairing. A relay learns nothing here that depends on the
//! secret words of the code.

use std::{fmt, str::FromStr};

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::codec::{array_of, fixed, message};
use crate::crypto::kdf::sha256;
use crate::encoding::{fixed_bytes, secret_bytes};
use crate::time::Timestamp;

/// The most bytes of one slot.
pub const MAX_SLOT: usize = 8 << 10;

secret_bytes!(
    /// What a client shows to be the one that allocated or claimed a place; the relay keeps its hash.
    ClientToken,
    32
);

impl ClientToken {
    /// H(token), which the relay knows the client by.
    pub fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(sha256(&[self.expose()]))
    }
}

impl<C> Encode<C> for ClientToken {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        fixed::encode(self.expose(), e, c)
    }
}

impl<'b, C> Decode<'b, C> for ClientToken {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        fixed::decode(d, c).map(Self::from_bytes)
    }
}

fixed_bytes!(
    /// H(client token).
    TokenHash,
    32
);

fixed_bytes!(
    /// The random name of an invite's place, made by the client that invites.
    InviteId,
    16
);

impl InviteId {
    /// A fresh one.
    pub fn random(rng: &mut impl rand_core::CryptoRng) -> Self {
        let mut bytes = [0u8; Self::LEN];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

/// The number in front of a code: 4 to 9 ASCII digits, chosen by the relay. It is public, and says
/// nothing about the words behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nameplate(String);

impl Nameplate {
    /// Fewest digits.
    pub const MIN_DIGITS: usize = 4;
    /// Most digits.
    pub const MAX_DIGITS: usize = 9;

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nameplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not 4 to 9 ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code's number has 4 to 9 digits")]
pub struct ParseNameplateError;

impl FromStr for Nameplate {
    type Err = ParseNameplateError;

    fn from_str(text: &str) -> Result<Self, ParseNameplateError> {
        let fits = (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseNameplateError)
        }
    }
}

/// Where two clients meet: a text of digits or a byte string of 16 on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rendezvous {
    /// Of a code that is typed.
    Nameplate(Nameplate),
    /// Of an invite.
    Invite(InviteId),
}

impl Rendezvous {
    /// The bytes by which the relay and the key schedule know it: ASCII digits, or the 16 raw bytes.
    /// The two never have the same length.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Nameplate(digits) => digits.as_str().as_bytes(),
            Self::Invite(id) => id.as_bytes(),
        }
    }
}

impl From<Nameplate> for Rendezvous {
    fn from(nameplate: Nameplate) -> Self {
        Self::Nameplate(nameplate)
    }
}

impl From<InviteId> for Rendezvous {
    fn from(id: InviteId) -> Self {
        Self::Invite(id)
    }
}

impl<C> Encode<C> for Rendezvous {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Nameplate(digits) => e.str(digits.as_str())?.ok(),
            Self::Invite(id) => id.encode(e, c),
        }
    }
}

impl<'b, C> Decode<'b, C> for Rendezvous {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == Type::String {
            d.str()?.parse::<Nameplate>().map(Self::Nameplate).map_err(|_| decode::Error::message("digits"))
        } else {
            Decode::decode(d, c).map(Self::Invite)
        }
    }
}

/// One of the four slots of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The allocator's first.
    A1,
    /// The allocator's second.
    A2,
    /// The claimer's first.
    B1,
    /// The claimer's second.
    B2,
}

impl Slot {
    /// All of them, in the order in which a pairing fills the two sides.
    pub const ALL: [Self; 4] = [Self::A1, Self::A2, Self::B1, Self::B2];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A1 => "a1",
            Self::A2 => "a2",
            Self::B1 => "b1",
            Self::B2 => "b2",
        }
    }

    /// It is the allocator who writes it, not the claimer.
    pub const fn is_allocators(self) -> bool {
        matches!(self, Self::A1 | Self::A2)
    }
}

impl<C> Encode<C> for Slot {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.name())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Slot {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let name = d.str()?;
        Self::ALL.into_iter().find(|slot| slot.name() == name).ok_or_else(|| decode::Error::message("slot"))
    }
}

/// `POST /v1/pair/allocate`; answered by [`Allocated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocate {
    /// The allocator's token.
    pub token: TokenHash,
    /// The id of an invite, or none for digits.
    pub invite: Option<InviteId>,
    /// What entitles to a place.
    pub right: super::Right,
}

message!(Allocate[3] { token: plain, invite: plain, right: plain });

/// Answer to [`Allocate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// Where to meet.
    pub place: Rendezvous,
    /// Until when it can be claimed.
    pub until: Timestamp,
}

message!(Allocated[2] { place: plain, until: millis });

/// `POST /v1/pair/claim`; answered by [`Claimed`]. Claiming again with the same token is the same
/// claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where to meet.
    pub place: Rendezvous,
    /// The claimer's token.
    pub token: TokenHash,
}

message!(Claim[2] { place: plain, token: plain });

/// Answer to [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Until when the place lives. Without b1 the claim lapses 60 s after it was made.
    pub until: Timestamp,
}

message!(Claimed[1] { until: millis });

/// `POST /v1/pair/put`; answered by [`Empty`](super::Empty). The same bytes again are the same put,
/// other bytes are refused as taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub place: Rendezvous,
    /// The writer's token.
    pub token: ClientToken,
    /// Which slot; it must be the writer's.
    pub slot: Slot,
    /// At most [`MAX_SLOT`] bytes.
    pub bytes: Vec<u8>,
}

message!(Put[4] { place: plain, token: plain, slot: plain, bytes: bytes });

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("slot", &self.slot)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// `POST /v1/pair/get`; answered by [`Got`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Where.
    pub place: Rendezvous,
    /// The reader's token.
    pub token: ClientToken,
    /// Which slot.
    pub slot: Slot,
    /// How long to wait for the slot to be filled, in milliseconds; at most 50,000 are waited.
    pub wait_ms: u32,
}

message!(Get[4] { place: plain, token: plain, slot: plain, wait_ms: plain });

/// Answer to [`Get`].
#[derive(Clone, PartialEq, Eq)]
pub struct Got {
    /// What is in the slot, if it was filled.
    pub bytes: Option<Vec<u8>>,
    /// A third client tried to claim the place. A hint for people: a relay may lie about it.
    pub contested: bool,
}

message!(Got[2] { bytes: maybe_bytes, contested: plain });

impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Got")
            .field("bytes", &self.bytes.as_ref().map(Vec::len))
            .field("contested", &self.contested)
            .finish()
    }
}

/// `POST /v1/pair/close`; answered by [`Empty`](super::Empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Where.
    pub place: Rendezvous,
    /// Either side's token.
    pub token: ClientToken,
}

message!(Close[2] { place: plain, token: plain });

/// Checks the array head of a right and its kind.
pub(crate) fn kind_of(d: &mut Decoder<'_>, kind: &str, len: u64) -> Result<(), decode::Error> {
    array_of(d, len)?;
    if d.str()? == kind { Ok(()) } else { Err(decode::Error::message("kind")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Right;
    use crate::mailbox::codec::tests::pinned;

    const TOKEN: &str = "58200909090909090909090909090909090909090909090909090909090909090909";

    fn digits() -> Rendezvous {
        Rendezvous::Nameplate("0042".parse::<Nameplate>().unwrap())
    }

    #[test]
    fn calls_and_answers_are_pinned() {
        let token = ClientToken::from_bytes([9; 32]);
        let until = Timestamp::from_millis(1000);
        let invite = InviteId::from_bytes([0xaa; 16]);
        let hash = "5820 8c0cc17a04942cc4f8e0fe0b302606d3108860c126428ba2ceeb5f9ed41c2b05";
        pinned(
            &Allocate { token: token.hash(), invite: None, right: Right::None },
            Allocate::to_bytes,
            Allocate::from_bytes,
            &format!("83 {hash} f6 f6"),
        );
        pinned(
            &Allocate { token: token.hash(), invite: Some(invite), right: Right::None },
            Allocate::to_bytes,
            Allocate::from_bytes,
            &format!("83 {hash} 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa f6"),
        );
        pinned(
            &Allocated { place: digits(), until },
            Allocated::to_bytes,
            Allocated::from_bytes,
            "82 6430303432 1903e8",
        );
        pinned(
            &Claim { place: Rendezvous::Invite(invite), token: token.hash() },
            Claim::to_bytes,
            Claim::from_bytes,
            &format!("82 50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {hash}"),
        );
        pinned(&Claimed { until }, Claimed::to_bytes, Claimed::from_bytes, "81 1903e8");
        pinned(
            &Put { place: digits(), token: token.clone(), slot: Slot::A1, bytes: vec![1, 2] },
            Put::to_bytes,
            Put::from_bytes,
            &format!("84 6430303432 {TOKEN} 626131 420102"),
        );
        pinned(
            &Get { place: digits(), token: token.clone(), slot: Slot::B2, wait_ms: 50_000 },
            Get::to_bytes,
            Get::from_bytes,
            &format!("84 6430303432 {TOKEN} 626232 19c350"),
        );
        pinned(&Got { bytes: None, contested: true }, Got::to_bytes, Got::from_bytes, "82 f6 f5");
        pinned(&Got { bytes: Some(vec![7]), contested: false }, Got::to_bytes, Got::from_bytes, "82 4107 f4");
        pinned(
            &Close { place: digits(), token },
            Close::to_bytes,
            Close::from_bytes,
            &format!("82 6430303432 {TOKEN}"),
        );
    }

    #[test]
    fn digits_are_4_to_9_ascii_digits() {
        for good in ["0000", "123456789"] {
            assert_eq!(good.parse::<Nameplate>().unwrap().as_str(), good);
        }
        for bad in ["", "123", "1234567890", "12a4", "١٢٣٤", " 1234", "12-4"] {
            assert_eq!(bad.parse::<Nameplate>(), Err(ParseNameplateError), "{bad}");
        }
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let call =
            Put { place: digits(), token: ClientToken::from_bytes([9; 32]), slot: Slot::A1, bytes: vec![] };
        assert_eq!(format!("{call:?}"), "Put { slot: A1, bytes: 0, .. }");
        assert_eq!(format!("{:?}", call.token), "ClientToken(..)");
    }
}

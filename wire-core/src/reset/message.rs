//! What is signed: a body in deterministic CBOR, and the signature behind it.
//!
//! RESET: `{1: version, 2: from, 3: to, 4: old session, 5: counter, 6: dh, 7: ek, 8: last, 9: head, 10: recv,
//! 11: recv_head, 12: statements}`; RESET_OK: `{1, 2, 3, 4: H(RESET), 6, 7: ct, 8 .. 12}`. 9 and 11 are left out
//! where they are unknown, and so is 4 of RESET.

use minicbor::{Decode, Encode};

use super::{ResetError, ResetHash};
use crate::crypto::dh::DhPublic;
use crate::encoding::{Malformed, cbor};
use crate::identity::{IdentityKeyPair, IdentityPublic, Root, StatementChain};
use crate::record::{MAX_NUMBER, RecordHash};
use crate::session::SessionId;

pub(super) const VERSION: u8 = 1;
pub(super) const REQUEST_LABEL: &[u8] = b"wire/reset/1";
pub(super) const ANSWER_LABEL: &[u8] = b"wire/reset-ok/1";
const SIGNATURE_LEN: usize = 64;

/// What a side says of the session that is to be replaced: how far its own chain and that of the other went, as
/// far as it knows. A side that has lost all of it says `Standing::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Last record that it signed.
    pub last: u64,
    /// Its hash.
    pub head: Option<RecordHash>,
    /// Up to which record it has all of the other's chain.
    pub recv: u64,
    /// The hash of that.
    pub recv_head: Option<RecordHash>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct RequestBody<'b> {
    #[n(1)]
    pub(super) version: u8,
    #[n(2)]
    pub(super) from: Root,
    #[n(3)]
    pub(super) to: Root,
    #[n(4)]
    pub(super) old: Option<SessionId>,
    #[n(5)]
    pub(super) ctr: u64,
    #[n(6)]
    pub(super) dh: DhPublic,
    #[cbor(b(7), with = "minicbor::bytes")]
    pub(super) ek: &'b [u8],
    #[n(8)]
    pub(super) last: u64,
    #[n(9)]
    pub(super) head: Option<RecordHash>,
    #[n(10)]
    pub(super) recv: u64,
    #[n(11)]
    pub(super) recv_head: Option<RecordHash>,
    #[cbor(b(12), with = "minicbor::bytes")]
    pub(super) statements: &'b [u8],
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct AnswerBody<'b> {
    #[n(1)]
    pub(super) version: u8,
    #[n(2)]
    pub(super) from: Root,
    #[n(3)]
    pub(super) to: Root,
    #[n(4)]
    pub(super) answers: ResetHash,
    #[n(6)]
    pub(super) dh: DhPublic,
    #[cbor(b(7), with = "minicbor::bytes")]
    pub(super) ct: &'b [u8],
    #[n(8)]
    pub(super) last: u64,
    #[n(9)]
    pub(super) head: Option<RecordHash>,
    #[n(10)]
    pub(super) recv: u64,
    #[n(11)]
    pub(super) recv_head: Option<RecordHash>,
    #[cbor(b(12), with = "minicbor::bytes")]
    pub(super) statements: &'b [u8],
}

impl RequestBody<'_> {
    pub(super) fn standing(&self) -> Standing {
        Standing { last: self.last, head: self.head, recv: self.recv, recv_head: self.recv_head }
    }
}

impl AnswerBody<'_> {
    pub(super) fn standing(&self) -> Standing {
        Standing { last: self.last, head: self.head, recv: self.recv, recv_head: self.recv_head }
    }
}

/// A message taken apart; nothing of it is verified but its form.
pub(super) struct Split<'b> {
    body: &'b [u8],
    signature: &'b [u8; SIGNATURE_LEN],
}

impl<'b> Split<'b> {
    pub(super) fn of(message: &'b [u8]) -> Result<Self, Malformed> {
        let (body, signature) = message.split_last_chunk().ok_or(Malformed)?;
        Ok(Self { body, signature })
    }

    pub(super) fn request(&self) -> Result<RequestBody<'b>, Malformed> {
        let body: RequestBody<'b> = cbor::from_slice(self.body)?;
        let fits = body.version == VERSION && body.ctr <= MAX_NUMBER;
        if fits { body.standing().check().map(|()| body) } else { Err(Malformed) }
    }

    pub(super) fn answer(&self) -> Result<AnswerBody<'b>, Malformed> {
        let body: AnswerBody<'b> = cbor::from_slice(self.body)?;
        if body.version == VERSION { body.standing().check().map(|()| body) } else { Err(Malformed) }
    }

    pub(super) fn is_signed_by(&self, key: &IdentityPublic, label: &[u8]) -> bool {
        key.verify(label, &[self.body], self.signature).is_ok()
    }
}

impl Standing {
    fn check(&self) -> Result<(), Malformed> {
        if self.last <= MAX_NUMBER && self.recv <= MAX_NUMBER { Ok(()) } else { Err(Malformed) }
    }
}

pub(super) fn signed(key: &IdentityKeyPair, label: &[u8], mut body: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(label, &[&body]);
    body.extend_from_slice(&signature);
    body
}

/// The sender's statements: they have to begin with those that are pinned for it.
pub(super) fn continued(statements: &[u8], pinned: &StatementChain) -> Result<StatementChain, ResetError> {
    let chain = StatementChain::verify(statements).map_err(|_| ResetError::Crypto)?;
    if chain.to_bytes().starts_with(pinned.to_bytes()) { Ok(chain) } else { Err(ResetError::Stale) }
}

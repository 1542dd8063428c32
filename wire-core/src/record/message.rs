//! From a draft to the payload of an envelope, and back to something that may be believed.
//!
//! Payload type 01: `01 ‖ lv(COSE_Sign1) ‖ salt16 ‖ body`. Nothing after the COSE_Sign1 is a *stub*:
//! a record whose body was withdrawn, or a control message.

use std::fmt;

use rand_core::CryptoRng;

use super::header::BodyHash;
use super::{Ack, Header, Kind, RecordError, RecordHash, RecordId, SendChain, VerifiedControl};
use super::{control, cose};
use crate::crypto::kdf::sha256;
use crate::encoding::{Reader, Wiped, cbor, fixed_bytes, lv};
use crate::identity::{IdentityKeyPair, PinnedKey, Root};
use crate::session::SessionId;
use crate::time::Timestamp;

/// Longest body that travels inside one record, in bytes.
pub const MAX_BODY: usize = 48 << 10;
const RECORD: u8 = 1;
/// A signed part larger than this is not one of ours: 256 excepts and every other field fit.
const MAX_COSE: usize = 16 << 10;

fixed_bytes!(
    /// What the body hash is salted with, so that a pruned body cannot be guessed.
    Salt,
    16
);

/// Who talks to whom in which session, from the side of the agent that runs this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The session.
    pub session: SessionId,
    /// This agent.
    pub own: Root,
    /// The other one.
    pub peer: Root,
}

impl Link {
    /// An inbound message must name this session, the peer as sender and us as receiver.
    pub(super) fn check(&self, sid: &SessionId, from: &Root, to: &Root) -> Result<(), RecordError> {
        if *sid == self.session && *from == self.peer && *to == self.own {
            Ok(())
        } else {
            Err(RecordError::WrongSession)
        }
    }
}

/// What an application wants to say. `Debug` leaves the body out.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is for.
    pub kind: Kind,
    /// The stable id.
    pub id: RecordId,
    /// The record that it answers.
    pub re: Option<RecordId>,
    /// When it is no longer wanted, in relay time.
    pub exp: Option<Timestamp>,
    /// Media type of the body.
    pub ctype: String,
    /// The body, at most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

/// A record of our own chain, signed, with what travels beside the signature. `Debug` leaves the
/// body out.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// Place in our chain.
    pub seq: u64,
    /// Its hash, which the next record names.
    pub hash: RecordHash,
    /// The COSE_Sign1 bytes.
    pub cose: Vec<u8>,
    /// The salt of the body hash.
    pub salt: Salt,
    /// The body.
    pub body: Vec<u8>,
}

impl SignedRecord {
    /// Signs `draft` as the next record after `chain`, whose head moves.
    pub(super) fn sign(
        chain: &mut SendChain,
        key: &IdentityKeyPair,
        link: &Link,
        ack: Ack,
        now: Timestamp,
        draft: Draft,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, RecordError> {
        if draft.body.len() > MAX_BODY {
            return Err(RecordError::TooLarge { len: draft.body.len(), max: MAX_BODY });
        }
        let mut salt = [0u8; Salt::LEN];
        rng.fill_bytes(&mut salt);
        let seq = chain.last.saturating_add(1);
        let header = Header {
            sid: link.session,
            from: link.own,
            to: link.peer,
            seq,
            prev: chain.head,
            ack,
            ts: now,
            kind: draft.kind,
            ctype: draft.ctype,
            id: draft.id,
            re: draft.re,
            exp: draft.exp,
            body_hash: hash_body(&salt, &draft.body),
            body_len: draft.body.len() as u64,
        };
        // What we would not accept we do not sign.
        header.check()?;
        let payload = cbor::to_vec(&header);
        let cose = cose::sign(key, &link.session, &payload);
        let hash = hash_record(&cose);
        *chain = SendChain { last: seq, head: hash };
        Ok(Self { seq, hash, cose, salt: Salt::from_bytes(salt), body: draft.body })
    }

    /// The payload of an envelope.
    pub fn to_payload(&self) -> Wiped {
        payload(&self.cose, self.salt.as_bytes(), &self.body)
    }

    /// The payload that keeps the record's place in the chain when its body is withdrawn.
    pub fn to_stub(&self) -> Wiped {
        payload(&self.cose, &[], &[])
    }
}

/// The payload of an envelope for what [`Control::sign`](super::Control::sign) has signed.
pub fn control_payload(cose: &[u8]) -> Wiped {
    payload(cose, &[], &[])
}

/// A record of the peer's chain whose signature and body hold. `Debug` leaves the body out.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    header: Header,
    hash: RecordHash,
    cose: Vec<u8>,
    body: Option<(Salt, Vec<u8>)>,
}

impl VerifiedRecord {
    /// A record that was verified before and kept as its parts.
    ///
    /// # Errors
    /// As [`open`]: the parts are verified again.
    pub fn reopen(
        cose: &[u8],
        salt: Option<&[u8]>,
        body: Option<&[u8]>,
        link: &Link,
        pinned: &PinnedKey,
    ) -> Result<Self, RecordError> {
        let payload = payload(cose, salt.unwrap_or_default(), body.unwrap_or_default());
        match open(&payload, link, pinned)? {
            Inbound::Record(record) => Ok(*record),
            Inbound::Control(_) => Err(RecordError::Malformed),
        }
    }

    /// The signed fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its hash.
    pub fn hash(&self) -> RecordHash {
        self.hash
    }

    /// The COSE_Sign1 bytes: evidence that a third party can check.
    pub fn cose(&self) -> &[u8] {
        &self.cose
    }

    /// Salt and body; none if it came as a stub.
    pub fn body(&self) -> Option<(&Salt, &[u8])> {
        self.body.as_ref().map(|(salt, body)| (salt, body.as_slice()))
    }
}

/// What an opened payload is, once it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound {
    /// A record of the peer's chain.
    Record(Box<VerifiedRecord>),
    /// An acknowledgement or a request for one.
    Control(Box<VerifiedControl>),
}

/// Verifies the payload of an envelope under the pinned key of the peer.
pub fn open(payload: &[u8], link: &Link, pinned: &PinnedKey) -> Result<Inbound, RecordError> {
    let mut r = Reader::new(payload);
    match r.u8()? {
        RECORD => {}
        other => return Err(RecordError::UnknownPayload(other)),
    }
    let cose = r.lv(MAX_COSE)?;
    let beside = r.rest();
    let signed = cose::verify(pinned, &link.session, cose)?;
    if control::is_control(signed) {
        if !beside.is_empty() {
            return Err(RecordError::Malformed);
        }
        return control::parse(cose, signed, link).map(|c| Inbound::Control(Box::new(c)));
    }
    let header = Header::decode(signed)?;
    link.check(&header.sid, &header.from, &header.to)?;
    let body = body_of(&header, beside)?;
    let record = VerifiedRecord { hash: hash_record(cose), cose: cose.to_vec(), header, body };
    Ok(Inbound::Record(Box::new(record)))
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRecord")
            .field("seq", &self.seq)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedRecord")
            .field("header", &self.header)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

fn body_of(header: &Header, beside: &[u8]) -> Result<Option<(Salt, Vec<u8>)>, RecordError> {
    if beside.is_empty() {
        return Ok(None);
    }
    let (salt, body) = beside.split_first_chunk::<{ Salt::LEN }>().ok_or(RecordError::Malformed)?;
    if body.len() as u64 != header.body_len || hash_body(salt, body) != header.body_hash {
        return Err(RecordError::Body);
    }
    Ok(Some((Salt::from_bytes(*salt), body.to_vec())))
}

pub(super) fn payload(cose: &[u8], salt: &[u8], body: &[u8]) -> Wiped {
    // A length takes at most 4 bytes.
    Wiped::with_capacity(1 + 4 + cose.len() + salt.len() + body.len(), |out| {
        out.push(RECORD);
        lv(out, cose);
        out.extend_from_slice(salt);
        out.extend_from_slice(body);
    })
}

pub(super) fn hash_body(salt: &[u8; Salt::LEN], body: &[u8]) -> BodyHash {
    BodyHash::from_bytes(sha256(&[salt, body]))
}

fn hash_record(cose: &[u8]) -> RecordHash {
    RecordHash::from_bytes(sha256(&[b"wire/rec/1 hash", cose]))
}

//! Signed requests to a mailbox: `[op, mailbox, certificate or null, ts, args bstr, sig]`.
//!
//! The signature is over "wire-req/1" ‖ relay_id32 ‖ op1 ‖ mailbox32 ‖ H(certificate)32 (zero for
//! the owner) ‖ ts8 ‖ H(args). It names the relay, so a captured request is of no use at another.
//! Every operation is idempotent, so a replay at the same relay changes nothing.
//!
//! 1. An owner signs with the mailbox key, a sender with the key that the certificate names.
//! 2. The relay parses the outer array alone, and verifies.
//! 3. Only then it parses `args`.

use minicbor::decode;
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::codec::{self, message};
use super::{
    Certificate, Cursor, EnvelopeHash, Incarnation, MailboxId, MailboxKeyPair, RelayId, Right, SenderKeyPair,
};
use crate::crypto::kdf::sha256;
use crate::encoding::{Malformed, cbor};
use crate::time::Timestamp;

const LABEL: &[u8] = b"wire-req/1";

const CREATE: u8 = 1;
const POST: u8 = 2;
const POLL: u8 = 3;
const ACK: u8 = 4;
const EPOCH: u8 = 5;
const DELETE: u8 = 6;

/// What is asked of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Owner: there shall be this mailbox, and its lowest valid epoch shall be at least this.
    /// Answered by [`Done`](super::Done).
    Create {
        /// Certificates of earlier epochs are void.
        min_epoch: u32,
        /// What entitles the owner to a new mailbox; not looked at if the mailbox is there.
        right: Right,
    },
    /// Sender: append these envelopes, in this order. Answered by [`Posted`](super::Posted).
    Post {
        /// 1 to 128 sealed envelopes of together at most 4 MiB.
        envelopes: Vec<Vec<u8>>,
    },
    /// Owner: give out what is after a position. Answered by [`Page`](super::Page).
    Poll {
        /// The life of the mailbox that `after` counts in; with none or another one, the relay
        /// reads from what was acknowledged.
        incarnation: Option<Incarnation>,
        /// The number of the last envelope that the owner has.
        after: u64,
        /// The most envelopes to give out; the relay has a limit of its own.
        max: u32,
        /// How long to wait for the first envelope, in milliseconds; at most 50,000 are waited.
        wait_ms: u32,
    },
    /// Owner: everything up to here is stored on my side. Answered by [`Done`](super::Done).
    Ack {
        /// Up to and including this envelope.
        at: Cursor,
        /// The hash of that envelope, so that a relay and an owner that disagree notice.
        hash: EnvelopeHash,
    },
    /// Owner: certificates of epochs before this one are void. Answered by [`Done`](super::Done).
    Epoch {
        /// The lowest valid epoch; it never falls.
        min_epoch: u32,
    },
    /// Owner: remove the mailbox and all that is in it. Answered by [`Done`](super::Done).
    Delete,
}

impl Operation {
    /// The number of the operation on the wire.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Create { .. } => CREATE,
            Self::Post { .. } => POST,
            Self::Poll { .. } => POLL,
            Self::Ack { .. } => ACK,
            Self::Epoch { .. } => EPOCH,
            Self::Delete => DELETE,
        }
    }

    /// The arguments: a CBOR array that depends on the operation.
    pub fn args(&self) -> Vec<u8> {
        match self {
            Self::Create { min_epoch, right } => cbor::to_vec(&(min_epoch, right)),
            Self::Post { envelopes } => cbor::to_vec(&ByteStringsRef(envelopes)),
            Self::Poll { incarnation, after, max, wait_ms } => {
                cbor::to_vec(&(incarnation, after, max, wait_ms))
            }
            Self::Ack { at, hash } => cbor::to_vec(&(at.incarnation, at.seq, hash)),
            Self::Epoch { min_epoch } => cbor::to_vec(&(min_epoch,)),
            Self::Delete => vec![0x80],
        }
    }

    /// Parses the arguments of operation `code`.
    pub fn from_args(code: u8, args: &[u8]) -> Result<Self, Malformed> {
        match code {
            CREATE => cbor::from_slice::<(u32, Right)>(args)
                .map(|(min_epoch, right)| Self::Create { min_epoch, right }),
            POST => {
                cbor::from_slice::<ByteStrings>(args).map(|ByteStrings(envelopes)| Self::Post { envelopes })
            }
            POLL => cbor::from_slice::<(Option<Incarnation>, u64, u32, u32)>(args)
                .map(|(incarnation, after, max, wait_ms)| Self::Poll { incarnation, after, max, wait_ms }),
            ACK => cbor::from_slice::<(Incarnation, u64, EnvelopeHash)>(args)
                .map(|(incarnation, seq, hash)| Self::Ack { at: Cursor { incarnation, seq }, hash }),
            EPOCH => cbor::from_slice::<(u32,)>(args).map(|(min_epoch,)| Self::Epoch { min_epoch }),
            DELETE if args == [0x80] => Ok(Self::Delete),
            _ => Err(Malformed),
        }
    }
}

struct ByteStrings(Vec<Vec<u8>>);
struct ByteStringsRef<'a>(&'a [Vec<u8>]);

impl<C> Encode<C> for ByteStrings {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        codec::byte_strings::encode(&self.0, e, c)
    }
}

impl<C> Encode<C> for ByteStringsRef<'_> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        codec::byte_strings::encode(self.0, e, c)
    }
}

impl<'b, C> Decode<'b, C> for ByteStrings {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        codec::byte_strings::decode(d, c).map(Self)
    }
}

/// A request that has not proved that it holds the right to what it asks.
///
/// It has no detail on purpose: a relay gives one answer to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request does not verify")]
pub struct Unproven;

/// Who signed a request that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The owner of the mailbox.
    Owner,
    /// The sender of this certificate; whether its epoch still holds is for the mailbox to say.
    Sender(Box<Certificate>),
}

/// One signed request.
///
/// ```
/// use wire_core::mailbox::{Caller, MailboxKeyPair, Operation, RelayKeyPair, SignedRequest};
/// use wire_core::time::Timestamp;
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let mailbox = MailboxKeyPair::generate(&mut rng);
/// let relay = RelayKeyPair::generate(&mut rng).public();
/// let now = Timestamp::from_millis(1_700_000_000_000);
/// let request = SignedRequest::by_owner(&mailbox, &relay, now, &Operation::Delete);
///
/// let received = SignedRequest::from_bytes(&request.to_bytes())?;
/// assert_eq!(received.verify(&relay).unwrap(), Caller::Owner);
/// assert_eq!(received.operation()?, Operation::Delete);
/// let other = RelayKeyPair::generate(&mut rng).public();
/// assert!(received.verify(&other).is_err());
/// # Ok::<(), wire_core::encoding::Malformed>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    code: u8,
    mailbox: MailboxId,
    certificate: Option<Vec<u8>>,
    time: Timestamp,
    args: Vec<u8>,
    signature: [u8; 64],
}

message!(SignedRequest[6] {
    code: plain,
    mailbox: plain,
    certificate: maybe_bytes,
    time: millis,
    args: bytes,
    signature: fixed,
});

impl SignedRequest {
    /// The owner of a mailbox asks `relay`; `now` is the relay's time as far as it is known.
    pub fn by_owner(owner: &MailboxKeyPair, relay: &RelayId, now: Timestamp, operation: &Operation) -> Self {
        let mut request = Self::unsigned(owner.public(), None, now, operation);
        request.signature = owner.sign(LABEL, &request.preimage(relay).parts());
        request
    }

    /// The sender of `certificate` asks `relay`.
    pub fn by_sender(
        sender: &SenderKeyPair,
        certificate: &Certificate,
        relay: &RelayId,
        now: Timestamp,
        operation: &Operation,
    ) -> Self {
        let mut request =
            Self::unsigned(certificate.mailbox(), Some(certificate.as_bytes().to_vec()), now, operation);
        request.signature = sender.sign(LABEL, &request.preimage(relay).parts());
        request
    }

    fn unsigned(
        mailbox: MailboxId,
        certificate: Option<Vec<u8>>,
        time: Timestamp,
        operation: &Operation,
    ) -> Self {
        Self {
            code: operation.code(),
            mailbox,
            certificate,
            time,
            args: operation.args(),
            signature: [0; 64],
        }
    }

    /// Anything that `sign` puts its name to, for tests: operation and arguments that do not fit, or a signer
    /// who is not the one that is claimed.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn forge(
        (code, args): (u8, &[u8]),
        (mailbox, certificate): (MailboxId, Option<Vec<u8>>),
        time: Timestamp,
        relay: &RelayId,
        sign: impl FnOnce(&[u8], &[&[u8]]) -> [u8; 64],
    ) -> Self {
        let mut request = Self { code, mailbox, certificate, time, args: args.to_vec(), signature: [0; 64] };
        request.signature = sign(LABEL, &request.preimage(relay).parts());
        request
    }

    /// Verifies the certificate, if there is one, and the signature, for the relay `relay`.
    pub fn verify(&self, relay: &RelayId) -> Result<Caller, Unproven> {
        match &self.certificate {
            None => self.verify_owner(relay).map(|()| Caller::Owner),
            Some(bytes) => {
                let certificate = Certificate::verify(bytes).map_err(|_| Unproven)?;
                self.verify_sender(relay, &certificate)?;
                Ok(Caller::Sender(Box::new(certificate)))
            }
        }
    }

    /// Verifies the signature of the owner.
    pub(crate) fn verify_owner(&self, relay: &RelayId) -> Result<(), Unproven> {
        self.mailbox.verify(LABEL, &self.preimage(relay).parts(), &self.signature).map_err(|_| Unproven)
    }

    /// Verifies the signature under a certificate that was verified before.
    pub(crate) fn verify_sender(&self, relay: &RelayId, certificate: &Certificate) -> Result<(), Unproven> {
        if certificate.mailbox() != self.mailbox {
            return Err(Unproven);
        }
        certificate
            .sender()
            .verify(LABEL, &self.preimage(relay).parts(), &self.signature)
            .map_err(|_| Unproven)
    }

    /// What is asked. To be called only after the request verified.
    pub fn operation(&self) -> Result<Operation, Malformed> {
        Operation::from_args(self.code, &self.args)
    }

    /// The mailbox that is asked.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// When the request was signed, by the caller's idea of the relay's time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The certificate as it came, not verified.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    fn preimage(&self, relay: &RelayId) -> Preimage {
        Preimage {
            relay: *relay,
            op: [self.code],
            mailbox: self.mailbox,
            certificate: self.certificate.as_ref().map_or([0; 32], |c| sha256(&[c])),
            time: self.time.as_millis().to_be_bytes(),
            args: sha256(&[&self.args]),
        }
    }
}

impl std::fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRequest")
            .field("op", &self.code)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

struct Preimage {
    relay: RelayId,
    op: [u8; 1],
    mailbox: MailboxId,
    certificate: [u8; 32],
    time: [u8; 8],
    args: [u8; 32],
}

impl Preimage {
    fn parts(&self) -> [&[u8]; 6] {
        [self.relay.as_bytes(), &self.op, self.mailbox.as_bytes(), &self.certificate, &self.time, &self.args]
    }
}

#[cfg(test)]
mod tests;

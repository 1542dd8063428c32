//! ACK and STATUS: signed like records, outside the chain, the highest `cseq` wins.

use minicbor::{Decode, Encode};

use super::ack::MAX_NUMBER;
use super::{Ack, Link, RecordError, RecordHash, cose};
use crate::encoding::cbor;
use crate::identity::{IdentityKeyPair, Root};
use crate::session::SessionId;
use crate::time::Timestamp;

/// Which control message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// Acknowledges.
    Ack,
    /// Acknowledges, and asks for an acknowledgement.
    Status,
}

/// What a control message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Which of the two.
    pub kind: ControlKind,
    /// What its sender says of the receiver's chain.
    pub ack: Ack,
    /// Rises with each control message of a session.
    pub cseq: u64,
    /// The last record that its sender has signed.
    pub last: u64,
    /// Hash of that record; the session id while `last` is 0.
    pub head: RecordHash,
    /// The sender's clock: informative only.
    pub ts: Timestamp,
}

/// A control message whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedControl {
    control: Control,
    cose: Vec<u8>,
}

impl VerifiedControl {
    /// What it says.
    pub fn get(&self) -> &Control {
        &self.control
    }

    /// The COSE_Sign1 bytes: evidence that a third party can check.
    pub fn cose(&self) -> &[u8] {
        &self.cose
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(1)]
    sid: SessionId,
    #[n(2)]
    from: Root,
    #[n(3)]
    to: Root,
    #[n(4)]
    seq: u64,
    #[n(6)]
    ack: Ack,
    #[n(7)]
    ts: Timestamp,
    #[n(8)]
    kind: String,
    #[n(15)]
    cseq: u64,
    #[n(16)]
    last: u64,
    #[n(17)]
    head: RecordHash,
}

const ACK: &str = "ack";
const STATUS: &str = "status";

impl Control {
    /// Signs, as `link.own`, and gives the COSE_Sign1 bytes.
    pub fn sign(&self, key: &IdentityKeyPair, link: &Link) -> Vec<u8> {
        let kind = match self.kind {
            ControlKind::Ack => ACK,
            ControlKind::Status => STATUS,
        };
        let fields = Fields {
            sid: link.session,
            from: link.own,
            to: link.peer,
            seq: 0,
            ack: self.ack.clone(),
            ts: self.ts,
            kind: kind.to_owned(),
            cseq: self.cseq,
            last: self.last,
            head: self.head,
        };
        cose::sign(key, &link.session, &cbor::to_vec(&fields))
    }
}

/// Whether a verified payload is a control message: only those have seq 0 (key 4).
pub(super) fn is_control(payload: &[u8]) -> bool {
    #[derive(Decode)]
    #[cbor(map)]
    struct Seq {
        #[n(4)]
        seq: u64,
    }
    minicbor::decode::<Seq>(payload).is_ok_and(|s| s.seq == 0)
}

/// Reads a payload whose signature was verified.
pub(super) fn parse(cose: &[u8], payload: &[u8], link: &Link) -> Result<VerifiedControl, RecordError> {
    let f: Fields = cbor::from_slice(payload)?;
    link.check(&f.sid, &f.from, &f.to)?;
    let kind = match f.kind.as_str() {
        ACK => ControlKind::Ack,
        STATUS => ControlKind::Status,
        _ => return Err(RecordError::Malformed),
    };
    let numbers = [f.cseq, f.last, f.ts.as_millis()];
    let is_sound = f.cseq > 0 && f.seq == 0 && f.ack.is_in_bounds() && f.ack.names_unopenable_for_a_reason();
    if !is_sound || numbers.into_iter().any(|n| n > MAX_NUMBER) {
        return Err(RecordError::Malformed);
    }
    let control = Control { kind, ack: f.ack, cseq: f.cseq, last: f.last, head: f.head, ts: f.ts };
    Ok(VerifiedControl { control, cose: cose.to_vec() })
}

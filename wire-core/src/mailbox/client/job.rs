//! One request that is answered as a whole, from its command to its answer.

use crate::envelope::EnvelopeHash;
use crate::mailbox::{
    Certificate, Cursor, MailboxId, MailboxKeyPair, Operation, RelayId, Right, SenderKeyPair, SignedRequest,
};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) what: What,
    pub(super) not_before: Option<Timestamp>,
    /// How often the relay did not do it.
    pub(super) tries: u32,
    pub(super) skew_retried: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Create { key: MailboxKeyPair, min_epoch: u32, right: Right },
    Delete { key: MailboxKeyPair },
    Epoch { key: MailboxKeyPair, min_epoch: u32 },
    Post { tag: u64, sender: SenderKeyPair, certificate: Box<Certificate>, operation: Operation },
    Ack { key: MailboxKeyPair, at: Cursor, hash: EnvelopeHash },
}

impl Job {
    pub(super) fn new(what: What) -> Self {
        Self { what, not_before: None, tries: 0, skew_retried: false }
    }

    /// The signed request, at the relay's time.
    pub(super) fn sign(&self, relay: &RelayId, now: Timestamp) -> Vec<u8> {
        let by_owner = |key, operation| SignedRequest::by_owner(key, relay, now, &operation);
        let request = match &self.what {
            What::Create { key, min_epoch, right } => {
                by_owner(key, Operation::Create { min_epoch: *min_epoch, right: right.clone() })
            }
            What::Delete { key } => by_owner(key, Operation::Delete),
            What::Epoch { key, min_epoch } => by_owner(key, Operation::Epoch { min_epoch: *min_epoch }),
            What::Ack { key, at, hash } => by_owner(key, Operation::Ack { at: *at, hash: *hash }),
            What::Post { sender, certificate, operation, .. } => {
                SignedRequest::by_sender(sender, certificate, relay, now, operation)
            }
        };
        request.to_bytes()
    }
}

impl What {
    pub(super) fn creates(&self, mailbox: &MailboxId) -> bool {
        matches!(self, Self::Create { key, .. } if key.public() == *mailbox)
    }

    pub(super) fn acknowledges(&self, mailbox: &MailboxId) -> bool {
        matches!(self, Self::Ack { key, .. } if key.public() == *mailbox)
    }
}

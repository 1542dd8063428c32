//! The keys that a relay sees. None of them is an identity: a mailbox and its sender have keys made
//! for one relationship alone, so that a relay cannot join contacts by address.

use crate::crypto::sign::key_pair;
use crate::encoding::fixed_bytes;

fixed_bytes!(
    /// A mailbox: the public key of its owner's mailbox key, fresh for each peer.
    MailboxId,
    32
);
key_pair!(
    /// The key with which the owner of a mailbox reads, acknowledges and deletes, and with which it
    /// signs the certificate of the one sender.
    MailboxKeyPair,
    MailboxId
);

fixed_bytes!(
    /// The public key of the one sender of a mailbox.
    SenderId,
    32
);
key_pair!(
    /// The key with which the sender of a mailbox posts. The owner of the mailbox makes it and gives
    /// it to the sender in the sealed offer.
    SenderKeyPair,
    SenderId
);

fixed_bytes!(
    /// The public key of a relay; it is bound into every signed request and into every pairing.
    RelayId,
    32
);
key_pair!(
    /// The key with which a relay proves who it is.
    RelayKeyPair,
    RelayId
);

//! The key of the sender posts, and does nothing else.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn sender_cannot_read_or_delete() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::new();
    let incarnation = mailbox.create(&relay).await;
    mailbox.posted(&relay, &[b"one"]).await;
    let at = Cursor { incarnation, seq: 1 };
    for operation in [
        Operation::Poll { incarnation: None, after: 0, max: 1, wait_ms: 0 },
        Operation::Ack { at, hash: EnvelopeHash::of(b"one") },
        Operation::Epoch { min_epoch: 9 },
        Operation::Delete,
        Operation::Create { min_epoch: 9, right: Right::None },
    ] {
        assert_eq!(mailbox.sender(&relay, &operation).await.refusal(), Refusal::NotFound, "{operation:?}");
    }
    assert_eq!(contents(&mailbox.poll(&relay, 0).await), [b"one"]);
    assert_eq!(mailbox.posted(&relay, &[b"two"]).await, [Verdict::Stored]);
    relay.stop().await;
}

//! Raising the epoch revokes the certificates of all before; a certificate of the new one works.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn revoked_epoch_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mut mailbox = Mailbox::created(&relay).await;
    mailbox.posted(&relay, &[b"before"]).await;
    mailbox.owner(&relay, &Operation::Epoch { min_epoch: 2 }).await.ok();
    assert_eq!(mailbox.post(&relay, &[b"after"]).await.refusal(), Refusal::OldEpoch);
    // An older epoch, or a replayed create, does not bring it back.
    mailbox.owner(&relay, &Operation::Epoch { min_epoch: 1 }).await.ok();
    mailbox.create(&relay).await;
    assert_eq!(mailbox.post(&relay, &[b"after"]).await.refusal(), Refusal::OldEpoch);
    relay.stop().await;

    let relay = Running::start(data.path()).await;
    assert_eq!(mailbox.post(&relay, &[b"after"]).await.refusal(), Refusal::OldEpoch);
    mailbox.certificate = Certificate::issue(&mailbox.owner, mailbox.sender.public(), 2, Quota::default());
    assert_eq!(mailbox.posted(&relay, &[b"after"]).await, [Verdict::Stored]);
    assert_eq!(contents(&mailbox.poll(&relay, 0).await), [b"before".as_slice(), b"after"]);
    relay.stop().await;
}

//! What was acknowledged is there after a restart, in order, once; so is what the owner acknowledged.

use crate::common::*;
use wire_core::mailbox::Verdict;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_post_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let id = relay.relay_id;
    let mailbox = Mailbox::created(&relay).await;
    assert_eq!(mailbox.posted(&relay, &[b"one", b"two"]).await, [Stored; 2]);
    mailbox.posted(&relay, &[b"three"]).await;
    let before = mailbox.poll(&relay, 0).await;
    assert_eq!(contents(&before), [b"one".as_slice(), b"two", b"three"]);
    assert_eq!(before.envelopes.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    mailbox.ack(&relay, before.incarnation, 1, b"one").await.ok();
    relay.stop().await;

    let relay = Running::start(data.path()).await;
    assert_eq!(relay.relay_id, id);
    let after = mailbox.poll(&relay, 0).await;
    assert_eq!(contents(&after), [b"two".as_slice(), b"three"]);
    assert_eq!((after.incarnation, after.acked, after.head), (before.incarnation, 1, 3));
    use Verdict::{AckedBefore, Same, Stored};
    assert_eq!(mailbox.posted(&relay, &[b"one", b"two", b"four"]).await, [AckedBefore, Same, Stored]);
    relay.stop().await;
}

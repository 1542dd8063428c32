//! The bytes of a request, sent again, do nothing that was not done.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn replayed_request_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::new();
    let by_owner =
        |operation: &Operation| SignedRequest::by_owner(&mailbox.owner, &relay.relay_id, now(), operation);
    let create = by_owner(&Operation::Create { min_epoch: 1, right: Right::None });
    let done = Done::from_bytes(relay.mailbox(&create).await.ok()).unwrap();
    let again = Done::from_bytes(relay.mailbox(&create).await.ok()).unwrap();
    assert_eq!(again.incarnation, done.incarnation);

    let post = Operation::Post { envelopes: vec![b"one".to_vec(), b"two".to_vec()] };
    let post = SignedRequest::by_sender(&mailbox.sender, &mailbox.certificate, &relay.relay_id, now(), &post);
    let verdicts = async || Posted::from_bytes(relay.mailbox(&post).await.ok()).unwrap().verdicts;
    assert_eq!(verdicts().await, [Verdict::Stored; 2]);
    assert_eq!(verdicts().await, [Verdict::Same; 2]);

    let ack = |seq, envelope| {
        let at = Cursor { incarnation: done.incarnation, seq };
        by_owner(&Operation::Ack { at, hash: EnvelopeHash::of(envelope) })
    };
    let (first, second) = (ack(1, b"one"), ack(2, b"two"));
    relay.mailbox(&first).await.ok();
    relay.mailbox(&second).await.ok();
    relay.mailbox(&first).await.ok();
    let page = mailbox.poll(&relay, 0).await;
    assert_eq!((page.acked, page.head, page.envelopes.len()), (2, 2, 0));
    assert_eq!(verdicts().await, [Verdict::AckedBefore; 2]);

    let delete = by_owner(&Operation::Delete);
    relay.mailbox(&delete).await.ok();
    relay.mailbox(&delete).await.ok();
    // The replayed create of a deleted mailbox does not bring it back.
    assert_eq!(relay.mailbox(&create).await.refusal(), Refusal::NotFound);
    assert_eq!(relay.mailbox(&post).await.refusal(), Refusal::NotFound);
    relay.stop().await;
}

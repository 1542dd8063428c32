//! An acknowledgement of another life, of a number that was never stored, or of other bytes deletes
//! nothing.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn position_that_does_not_exist_is_stale() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::new();
    let incarnation = mailbox.create(&relay).await;
    mailbox.posted(&relay, &[b"one", b"two"]).await;
    let stale = Refusal::Stale { incarnation, first: 1, head: 2 };
    let other = Incarnation::random(&mut rng());
    assert_eq!(mailbox.ack(&relay, other, 1, b"one").await.refusal(), stale);
    assert_eq!(mailbox.ack(&relay, incarnation, 3, b"three").await.refusal(), stale);
    assert_eq!(mailbox.ack(&relay, incarnation, 1, b"two").await.refusal(), stale);
    assert_eq!(contents(&mailbox.poll(&relay, 0).await).len(), 2);
    // A cursor of another life reads from what was acknowledged; one of this life from where it is.
    mailbox.ack(&relay, incarnation, 1, b"one").await.ok();
    for (incarnation, after, expected) in
        [(Some(other), 2, 1), (None, 2, 1), (Some(incarnation), 0, 1), (Some(incarnation), 2, 0)]
    {
        let poll = Operation::Poll { incarnation, after, max: 10, wait_ms: 0 };
        let page = Page::from_bytes(mailbox.owner(&relay, &poll).await.ok()).unwrap();
        assert_eq!(page.envelopes.len(), expected, "{after}");
    }
    relay.stop().await;
}

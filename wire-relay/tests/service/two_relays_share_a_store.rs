//! Attack 45: whoever is revoked at one of two relays over one store is refused by the other, from its next request on.

use std::sync::Arc;

use crate::common::*;
use wire_core::mailbox::*;
use wire_relay::RelayConfig;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_is_refused_by_the_other() {
    let data = tempfile::tempdir().unwrap();
    let config = RelayConfig::new(data.path());
    let store = Arc::new(store_in(data.path()));
    let one = Running::with_store(&config, Arc::clone(&store)).await;
    let other = Running::with_store(&config, store).await;
    assert_eq!(one.relay_id, other.relay_id);

    let mut mailbox = Mailbox::created(&one).await;
    // Its certificate is known at both.
    assert_eq!(mailbox.posted(&one, &[b"first"]).await, [Verdict::Stored]);
    let (page, verdicts) =
        tokio::join!(mailbox.poll(&one, 0), mailbox.posted(&other, &[b"first", b"second"]));
    assert_eq!(
        (contents(&page)[0], verdicts.as_slice()),
        (b"first".as_slice(), [Verdict::Same, Verdict::Stored].as_slice())
    );

    mailbox.owner(&one, &Operation::Epoch { min_epoch: 2 }).await.ok();
    assert_eq!(mailbox.post(&other, &[b"third"]).await.refusal(), Refusal::OldEpoch);
    // Nor does the other bring the old one back.
    let incarnation = mailbox.create(&other).await;
    assert_eq!(mailbox.post(&one, &[b"third"]).await.refusal(), Refusal::OldEpoch);

    // A reader at one is woken by what the other takes.
    mailbox.certificate = Certificate::issue(&mailbox.owner, mailbox.sender.public(), 2, Quota::default());
    let wait = Operation::Poll { incarnation: Some(incarnation), after: 2, max: 1, wait_ms: MAX_WAIT_MS };
    let (page, verdicts) = tokio::join!(mailbox.owner(&one, &wait), mailbox.posted(&other, &[b"third"]));
    assert_eq!(verdicts, [Verdict::Stored]);
    assert_eq!(contents(&Page::from_bytes(page.ok()).unwrap()), [b"third"]);

    mailbox.owner(&other, &Operation::Delete).await.ok();
    assert_eq!(mailbox.post(&one, &[b"fourth"]).await.refusal(), Refusal::NotFound);
    one.stop().await;
    other.stop().await;
}

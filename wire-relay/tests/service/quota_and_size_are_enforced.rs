//! What is over a quota or too large is told so before it is lost, and holds nothing else up.

use crate::common::*;
use wire_core::mailbox::*;
use wire_relay::RelayConfig;

#[tokio::test(flavor = "multi_thread")]
async fn quota_and_size_are_enforced() {
    let data = tempfile::tempdir().unwrap();
    let mut config = RelayConfig::new(data.path());
    config.limits.max_pending_bytes = 100;
    let relay = Running::with(&config).await;
    let quota = Quota { max_envelope: 40, max_pending: 3, bytes_per_day: 200 };
    let mailbox = Mailbox::with(1, quota);
    let incarnation = mailbox.create(&relay).await;
    use Verdict::{Quota as OverQuota, Same, Stored, TooLarge};
    assert_eq!(mailbox.posted(&relay, &[&[1; 40], &[2; 41], &[3; 40]]).await, [Stored, TooLarge, Stored]);
    // 80 of 100 bytes wait: what is over is refused, and what comes behind it too, to keep the order.
    assert_eq!(mailbox.posted(&relay, &[&[4; 30], &[5; 10], &[1; 40]]).await, [OverQuota, OverQuota, Same]);
    assert_eq!(mailbox.posted(&relay, &[&[5; 10], &[6; 10]]).await, [Stored, OverQuota]);
    mailbox.ack(&relay, incarnation, 3, &[5; 10]).await.ok();
    assert_eq!(mailbox.posted(&relay, &[&[7; 40], &[8; 40]]).await, [Stored, Stored]);
    mailbox.ack(&relay, incarnation, 5, &[8; 40]).await.ok();
    // 170 of the day's 200 bytes are used, and nothing waits.
    let answer = mailbox.post(&relay, &[&[9; 31]]).await;
    assert!(matches!(answer.refusal(), Refusal::Quota { retry_after } if retry_after > 80_000));
    assert_eq!(mailbox.posted(&relay, &[&[9; 30]]).await, [Stored]);

    let many = vec![b"x".to_vec(); MAX_BATCH + 1];
    let answer = mailbox.sender(&relay, &Operation::Post { envelopes: many }).await;
    assert_eq!(answer.refusal(), Refusal::TooLarge);
    let answer = relay.post("/v1/mb", vec![0; MAX_BATCH_BYTES + (65 << 10)]).await;
    assert_eq!(answer.refusal(), Refusal::TooLarge);
    relay.stop().await;
}

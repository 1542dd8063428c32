//! A request whose time is far off is refused, with the time to sign it again.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn clock_far_off_is_told_the_time() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let poll = Operation::Poll { incarnation: None, after: 0, max: 1, wait_ms: 0 };
    for off in [-3_600_000, 3_600_000] {
        let time = now().offset_millis(off);
        let request = SignedRequest::by_owner(&mailbox.owner, &relay.relay_id, time, &poll);
        let answer = relay.mailbox(&request).await;
        assert_eq!(answer.refusal(), Refusal::Skew);
        let told = Refused::from_bytes(&answer.body).unwrap().time;
        let again = SignedRequest::by_owner(&mailbox.owner, &relay.relay_id, told, &poll);
        relay.mailbox(&again).await.ok();
    }
    relay.stop().await;
}

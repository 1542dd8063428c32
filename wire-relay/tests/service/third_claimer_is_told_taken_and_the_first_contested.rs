//! Exactly one claims; whoever comes third is told so, and the first two can see that somebody did.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn third_claimer_is_told_taken_and_the_first_contested() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let [a, b, c] = [0; 3].map(|_| ClientToken::random(&mut rng()));
    let place = relay.allocate(&a).await;
    Claimed::from_bytes(relay.claim(&place, &b).await.ok()).unwrap();
    Claimed::from_bytes(relay.claim(&place, &b).await.ok()).unwrap();
    let got = Got::from_bytes(relay.get_slot(&place, &a, Slot::B1, 0).await.ok()).unwrap();
    assert_eq!(got, Got { bytes: None, contested: false });
    assert_eq!(relay.claim(&place, &c).await.refusal(), Refusal::Taken);
    for token in [&a, &b] {
        let got = Got::from_bytes(relay.get_slot(&place, token, Slot::B1, 0).await.ok()).unwrap();
        assert!(got.contested);
    }
    assert_eq!(relay.get_slot(&place, &c, Slot::A1, 0).await.refusal(), Refusal::NotFound);
    relay.stop().await;
}

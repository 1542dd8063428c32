//! The slots of a rendezvous: the same bytes again are fine, other bytes are not, before and after a
//! restart; the name that was given out is not given out again.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_write_once_and_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let (a, b) = (ClientToken::random(&mut rng()), ClientToken::random(&mut rng()));
    let place = relay.allocate(&a).await;
    relay.put(&place, &a, Slot::A1, b"hello").await.ok();
    relay.claim(&place, &b).await.ok();
    relay.stop().await;

    let relay = Running::start(data.path()).await;
    assert_eq!(relay.put(&place, &a, Slot::A1, b"hello").await.ok(), Empty.to_bytes());
    assert_eq!(relay.put(&place, &a, Slot::A1, b"other").await.refusal(), Refusal::Taken);
    let got = Got::from_bytes(relay.get_slot(&place, &b, Slot::A1, 0).await.ok()).unwrap();
    assert_eq!(got, Got { bytes: Some(b"hello".to_vec()), contested: false });
    relay.put(&place, &b, Slot::B1, b"answer").await.ok();
    // A slot is its side's alone, and a token is known or it is nobody's.
    assert_eq!(relay.put(&place, &a, Slot::B2, b"mine").await.refusal(), Refusal::NotFound);
    let stranger = ClientToken::random(&mut rng());
    assert_eq!(relay.get_slot(&place, &stranger, Slot::A1, 0).await.refusal(), Refusal::NotFound);
    assert_eq!(relay.put(&place, &a, Slot::A2, &[0; MAX_SLOT + 1]).await.refusal(), Refusal::TooLarge);
    relay.stop().await;

    let relay = Running::start(data.path()).await;
    let got = Got::from_bytes(relay.get_slot(&place, &a, Slot::B1, 0).await.ok()).unwrap();
    assert_eq!(got.bytes.as_deref(), Some(b"answer".as_slice()));
    let close = Close { place: place.clone(), token: a.clone() };
    relay.post("/v1/pair/close", close.to_bytes()).await.ok();
    assert_eq!(relay.get_slot(&place, &b, Slot::A1, 0).await.refusal(), Refusal::NotFound);
    assert_eq!(relay.claim(&place, &stranger).await.refusal(), Refusal::NotFound);
    relay.stop().await;
}

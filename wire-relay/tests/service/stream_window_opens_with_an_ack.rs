//! A stream sends no more than 64 envelopes that the owner has not acknowledged, and goes on when it
//! does.

use crate::common::*;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn stream_window_opens_with_an_ack() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let (flooded, other) = (Mailbox::created(&relay).await, Mailbox::created(&relay).await);
    let envelopes: Vec<Vec<u8>> = (0..100u8).map(|n| vec![n]).collect();
    flooded.posted(&relay, &envelopes.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    let mut frames = Frames::open(&relay, &[&flooded, &other], true).await;
    for n in 1..=STREAM_WINDOW as u64 {
        assert_eq!(frames.envelope().await.1, n);
    }
    // The next thing to come is another mailbox's: the window of the first is full.
    other.posted(&relay, &[b"not held up"]).await;
    assert_eq!(frames.envelope().await, (1, 1, b"not held up".to_vec()));
    let page = flooded.poll(&relay, 0).await;
    flooded.ack(&relay, page.incarnation, 10, &envelopes[9]).await.ok();
    for n in 65..=74 {
        assert_eq!(frames.envelope().await, (0, n, envelopes[n as usize - 1].clone()));
    }
    relay.stop().await;
}

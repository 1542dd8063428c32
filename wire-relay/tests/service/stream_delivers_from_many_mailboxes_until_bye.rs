//! One streaming read serves many mailboxes: what waits, then what comes, and `bye` at the end.

use crate::common::*;
use std::collections::BTreeSet;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn stream_delivers_from_many_mailboxes_until_bye() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let [first, second, third] =
        [Mailbox::created(&relay).await, Mailbox::created(&relay).await, Mailbox::created(&relay).await];
    first.posted(&relay, &[b"a1", b"a2"]).await;
    second.posted(&relay, &[b"b1"]).await;
    let stranger = Mailbox::new();
    let mut frames = Frames::open(&relay, &[&first, &second, &third, &stranger], true).await;
    let mut got = BTreeSet::new();
    let mut ended = Vec::new();
    while got.len() < 3 || ended.is_empty() {
        match frames.next().await.unwrap() {
            Frame::Envelope { index, seq, envelope, .. } => assert!(got.insert((index, seq, envelope))),
            Frame::End { index, refused } => ended.push((index, refused.refusal)),
            frame @ (Frame::KeepAlive | Frame::Bye { .. }) => panic!("{frame:?}"),
        }
    }
    let waiting = [(0, 1, b"a1".to_vec()), (0, 2, b"a2".to_vec()), (1, 1, b"b1".to_vec())];
    assert_eq!(got, BTreeSet::from(waiting));
    assert_eq!(ended, [(3, Refusal::NotFound)]);
    third.posted(&relay, &[b"c1"]).await;
    assert_eq!(frames.envelope().await, (2, 1, b"c1".to_vec()));
    // Deleting one mailbox, or raising its epoch, ends it alone.
    second.owner(&relay, &Operation::Delete).await.ok();
    assert!(matches!(frames.next().await, Some(Frame::End { index: 1, .. })));
    third.owner(&relay, &Operation::Epoch { min_epoch: 2 }).await.ok();
    match frames.next().await {
        Some(Frame::End { index: 2, refused }) => assert_eq!(refused.refusal, Refusal::OldEpoch),
        other => panic!("{other:?}"),
    }
    first.posted(&relay, &[b"a3"]).await;
    assert_eq!(frames.envelope().await, (0, 3, b"a3".to_vec()));
    let (last, ()) = tokio::join!(frames.next(), relay.stop());
    assert!(matches!(last, Some(Frame::Bye { reconnect_after_ms }) if reconnect_after_ms > 0), "{last:?}");
    assert_eq!(frames.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_without_follow_says_bye_when_all_is_sent() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let envelopes: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n]).collect();
    mailbox.posted(&relay, &envelopes.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    let mut frames = Frames::open(&relay, &[&mailbox], false).await;
    for (n, envelope) in (1..).zip(envelopes) {
        assert_eq!(frames.envelope().await, (0, n, envelope));
    }
    assert_eq!(frames.next().await, Some(Frame::Bye { reconnect_after_ms: 0 }));
    assert_eq!(frames.next().await, None);
    relay.stop().await;
}

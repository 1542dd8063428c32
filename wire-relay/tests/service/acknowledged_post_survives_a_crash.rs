//! The machine stops at any moment: what was acknowledged by then is there when it comes back.

use crate::common::*;
use std::path::Path;
use wire_core::mailbox::*;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_post_survives_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let mailbox = Mailbox::created(&relay).await;
    let token = ClientToken::random(&mut rng());
    let place = relay.allocate(&token).await;
    relay.put(&place, &token, Slot::A1, b"m1").await.ok();
    for n in 0..20u8 {
        assert_eq!(mailbox.posted(&relay, &[&[n; 100], &[n; 5000]]).await, [Verdict::Stored; 2]);
    }
    let incarnation = mailbox.poll(&relay, 0).await.incarnation;
    mailbox.ack(&relay, incarnation, 7, &[3; 100]).await.ok();
    // What is on the disk at this moment; the relay that runs has closed nothing.
    let crashed = tempfile::tempdir().unwrap();
    copy(data.path(), crashed.path());

    let other = Running::start(crashed.path()).await;
    assert_eq!(other.relay_id, relay.relay_id);
    let page = mailbox.poll(&other, 0).await;
    assert_eq!(page.incarnation, incarnation);
    assert_eq!((page.acked, page.head, page.envelopes.len()), (7, 40, 33));
    for (seq, envelope) in &page.envelopes {
        let n = u8::try_from((seq - 1) / 2).unwrap();
        assert_eq!(envelope, &vec![n; if seq % 2 == 1 { 100 } else { 5000 }]);
    }
    let got = Got::from_bytes(other.get_slot(&place, &token, Slot::A1, 0).await.ok()).unwrap();
    assert_eq!(got.bytes.as_deref(), Some(b"m1".as_slice()));
    other.stop().await;
    relay.stop().await;
}

#[allow(clippy::unwrap_used, reason = "what fails here fails the scenario")]
fn copy(from: &Path, to: &Path) {
    for entry in from.read_dir().unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

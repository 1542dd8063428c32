//! A journal that was damaged in its middle is cut there by the engine. What was behind had been
//! acknowledged: every mailbox gets a new incarnation, by which senders know to post it again.

use crate::common::*;
use std::fs;
use std::path::Path;
use wire_core::mailbox::*;

/// Overwrites 4 KiB of the journal from the second envelope on.
fn damage(store: &Path, envelope: &[u8], byte: u8) {
    let found = store.read_dir().unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        let whole = fs::read(&path).ok()?;
        let at = memchr::memmem::find(&whole, envelope)?;
        Some((path, whole, at))
    });
    let (journal, mut bytes, at) = found.unwrap();
    bytes[at..at + 4096].fill(byte);
    fs::write(journal, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_journal_is_noticed() {
    let envelopes = [[b'a'; 3000], [b'b'; 3000], [b'c'; 3000], [b'd'; 3000]];
    for byte in [0, 0xa5] {
        let data = tempfile::tempdir().unwrap();
        let relay = Running::start(data.path()).await;
        let mailbox = Mailbox::created(&relay).await;
        for envelope in &envelopes {
            mailbox.posted(&relay, &[envelope]).await;
        }
        let before = mailbox.poll(&relay, 0).await.incarnation;
        relay.stop().await;

        // Closed and opened: nothing is lost, and nothing is new.
        let relay = Running::start(data.path()).await;
        assert_eq!(mailbox.poll(&relay, 0).await.incarnation, before);
        relay.stop().await;

        damage(&data.path().join("store"), &envelopes[1], byte);
        let relay = Running::start(data.path()).await;
        let page = mailbox.poll(&relay, 0).await;
        assert_eq!(contents(&page), [&envelopes[0]]);
        assert_ne!(page.incarnation, before);
        // The sender posts all that it knows of; what is there is known again.
        let again: Vec<&[u8]> = envelopes.iter().map(|e| e.as_slice()).collect();
        let verdicts = mailbox.posted(&relay, &again).await;
        assert_eq!(verdicts, [Verdict::Same, Verdict::Stored, Verdict::Stored, Verdict::Stored]);
        let after = mailbox.poll(&relay, 0).await;
        assert_eq!(contents(&after), again);
        assert_eq!(after.incarnation, page.incarnation);
        relay.stop().await;

        let relay = Running::start(data.path()).await;
        let page = mailbox.poll(&relay, 0).await;
        assert_eq!((page.incarnation, contents(&page)), (after.incarnation, again));
        relay.stop().await;
    }
}

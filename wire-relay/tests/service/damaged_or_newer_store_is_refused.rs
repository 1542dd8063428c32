//! A store that is in use, damaged or of another version is not opened, and says which it is.

use crate::common::*;
use std::fs;
use wire_relay::{OpenError, Relay, RelayConfig};

const ENVELOPE: &[u8] = b"an envelope that can be found again";

fn open(data: &std::path::Path) -> Result<Relay, OpenError> {
    Relay::open(&RelayConfig::new(data))
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_or_newer_store_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    assert!(matches!(open(data.path()), Err(OpenError::Locked(_))));
    let mailbox = Mailbox::created(&relay).await;
    mailbox.posted(&relay, &[ENVELOPE]).await;
    relay.stop().await;

    let store = data.path().join("store");
    let version = store.join("version");
    let whole = fs::read(&version).unwrap();
    fs::write(&version, b"not a store").unwrap();
    assert!(matches!(open(data.path()), Err(OpenError::Corrupt { .. })));
    fs::write(&version, &whole).unwrap();

    // One bit of an acknowledged envelope has flipped: better no relay than one that lost it silently.
    let damaged = store.read_dir().unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        let whole = fs::read(&path).ok()?;
        let at = memchr::memmem::find(&whole, ENVELOPE)?;
        Some((path, whole, at))
    });
    let (journal, mut bytes, at) = damaged.unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    assert!(matches!(open(data.path()), Err(OpenError::Corrupt { .. })));
    bytes[at] ^= 1;
    fs::write(&journal, &bytes).unwrap();

    let key = data.path().join("relay.key");
    let seed = fs::read(&key).unwrap();
    fs::write(&key, b"short").unwrap();
    assert!(matches!(open(data.path()), Err(OpenError::BadKey(_))));
    fs::write(&key, seed).unwrap();

    let relay = Running::start(data.path()).await;
    assert_eq!(contents(&mailbox.poll(&relay, 0).await), [ENVELOPE]);
    relay.stop().await;
}

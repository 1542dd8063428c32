//! When the store fails, nothing is acknowledged: 507 for a full disk, 503 else, and the relay says
//! that it is not ready.

use crate::common::*;
use futures_core::Stream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use wire_core::mailbox::*;
use wire_core::pairing::Nameplate;
use wire_core::time::Timestamp;
use wire_relay::{Facts, FjallStore, RelayConfig, Store, StoreError, WakeKey};

/// A store that fails when told to.
struct Faulty {
    inner: FjallStore,
    fault: Arc<Mutex<Option<StoreError>>>,
    /// Only opening it again would help.
    for_good: Arc<AtomicBool>,
}

impl Faulty {
    fn fault(&self) -> Result<(), StoreError> {
        self.fault.lock().unwrap().map_or(Ok(()), Err)
    }
}

impl Store for Faulty {
    async fn apply(&self, op: Op) -> Result<Outcome, StoreError> {
        self.fault()?;
        self.inner.apply(op).await
    }

    async fn read(&self, spec: ReadSpec) -> Result<Outcome, StoreError> {
        self.inner.read(spec).await
    }

    fn watch(&self, keys: Vec<WakeKey>) -> impl Stream<Item = WakeKey> + Send + 'static {
        self.inner.watch(keys)
    }

    async fn sweep(&self, now: Timestamp, max: u32) -> Result<u32, StoreError> {
        self.fault()?;
        self.inner.sweep(now, max).await
    }

    fn occupied(&self) -> Result<Vec<(Nameplate, Timestamp)>, StoreError> {
        self.inner.occupied()
    }

    fn facts(&self) -> Facts {
        let fault = self.fault().err();
        Facts { ready: fault.is_none(), ended: fault.filter(|_| self.for_good.load(Ordering::SeqCst)) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_store_acknowledges_nothing() {
    let data = tempfile::tempdir().unwrap();
    let fault = Arc::new(Mutex::new(None));
    let store = Faulty { inner: store_in(data.path()), fault: Arc::clone(&fault), for_good: Arc::default() };
    let relay = Running::with_store(&RelayConfig::new(data.path()), store).await;
    let mailbox = Mailbox::created(&relay).await;
    mailbox.posted(&relay, &[b"before"]).await;
    for (error, refusal) in [
        (StoreError::Full, Refusal::Full),
        (StoreError::Failed, Refusal::Unavailable { retry_after: 10 }),
        (StoreError::Busy, Refusal::Unavailable { retry_after: 1 }),
    ] {
        *fault.lock().unwrap() = Some(error);
        assert_eq!(mailbox.post(&relay, &[b"lost"]).await.refusal(), refusal);
        assert_eq!(mailbox.owner(&relay, &Operation::Delete).await.refusal(), refusal);
        let token = ClientToken::random(&mut rng());
        let call = Allocate { token: token.hash(), invite: None, right: Right::None };
        assert_eq!(relay.post("/v1/pair/allocate", call.to_bytes()).await.refusal(), refusal);
        assert_eq!(relay.get("/readyz").await.status, 503);
        assert_eq!(relay.get("/healthz").await.status, 200);
        // What waits can still be fetched.
        assert_eq!(contents(&mailbox.poll(&relay, 0).await), [b"before"]);
    }
    *fault.lock().unwrap() = None;
    assert_eq!(mailbox.posted(&relay, &[b"after"]).await, [Verdict::Stored]);
    assert_eq!(contents(&mailbox.poll(&relay, 0).await), [b"before".as_slice(), b"after"]);
    relay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_whose_store_failed_for_good_ends_and_says_why() {
    for (error, why) in [(StoreError::Failed, "the store failed"), (StoreError::Full, "the disk was full")] {
        let data = tempfile::tempdir().unwrap();
        let (fault, for_good) = (Arc::new(Mutex::new(Some(error))), Arc::new(AtomicBool::new(false)));
        let store = Faulty {
            inner: store_in(data.path()),
            fault: Arc::clone(&fault),
            for_good: Arc::clone(&for_good),
        };
        let relay = Running::with_store(&RelayConfig::new(data.path()), store).await;
        assert_eq!(relay.get("/readyz").await.status, 503);
        for_good.store(true, Ordering::SeqCst);
        let ended = relay.ended().await.unwrap_err().to_string();
        assert!(ended.contains(why), "{ended}");
    }
}

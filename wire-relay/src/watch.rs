//! Wake-ups within one process.
//!
//! 1. A reader registers its keys, then reads.
//! 2. Whoever has made a change durable and readable wakes its keys.
//! 3. The reader takes the keys off its [`Watch`]; several wake-ups of one key are one.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::WakeKey;

/// All readers that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub(Arc<Mutex<BTreeMap<WakeKey, Vec<Arc<Reader>>>>>);

#[derive(Debug, Default)]
struct Reader(Mutex<Woken>);

#[derive(Debug, Default)]
struct Woken {
    keys: BTreeSet<WakeKey>,
    waker: Option<Waker>,
}

/// The wake-ups of one reader; never ends.
#[derive(Debug)]
pub(crate) struct Watch {
    hub: Hub,
    keys: Vec<WakeKey>,
    reader: Arc<Reader>,
}

impl Hub {
    pub(crate) fn watch(&self, keys: Vec<WakeKey>) -> Watch {
        let reader = Arc::new(Reader::default());
        let mut all = lock(&self.0);
        for key in &keys {
            all.entry(key.clone()).or_default().push(Arc::clone(&reader));
        }
        drop(all);
        Watch { hub: self.clone(), keys, reader }
    }

    pub(crate) fn wake(&self, key: &WakeKey) {
        let readers = lock(&self.0).get(key).cloned().unwrap_or_default();
        for reader in readers {
            let mut woken = lock(&reader.0);
            woken.keys.insert(key.clone());
            let waker = woken.waker.take();
            drop(woken);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Stream for Watch {
    type Item = WakeKey;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WakeKey>> {
        let mut woken = lock(&self.reader.0);
        if let Some(key) = woken.keys.pop_first() {
            return Poll::Ready(Some(key));
        }
        woken.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = lock(&self.hub.0);
        for key in &self.keys {
            if let Some(readers) = all.get_mut(key) {
                readers.retain(|reader| !Arc::ptr_eq(reader, &self.reader));
                if readers.is_empty() {
                    all.remove(key);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use wire_core::mailbox::MailboxId;

    fn key(n: u8) -> WakeKey {
        WakeKey::Mailbox(MailboxId::from_bytes([n; 32]))
    }

    async fn next(watch: &mut Watch) -> Option<WakeKey> {
        poll_fn(|cx| Pin::new(&mut *watch).poll_next(cx)).await
    }

    #[tokio::test]
    async fn a_wake_up_before_the_wait_is_not_missed_and_two_are_one() {
        let hub = Hub::default();
        let mut watch = hub.watch(vec![key(1), key(2)]);
        hub.wake(&key(3));
        hub.wake(&key(2));
        hub.wake(&key(2));
        assert_eq!(next(&mut watch).await, Some(key(2)));
        let waiting = tokio::spawn(async move {
            let got = next(&mut watch).await;
            (got, watch)
        });
        tokio::task::yield_now().await;
        hub.wake(&key(1));
        let (got, watch) = waiting.await.unwrap();
        assert_eq!(got, Some(key(1)));
        drop(watch);
        assert!(lock(&hub.0).is_empty(), "a reader that is gone leaves nothing behind");
    }
}

//! From the relay's stream to the disk.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::{Input, Link};
use crate::agent::error::Error;
use crate::agent::unstored::Source;
use crate::envelope::EnvelopeHash;
use crate::mailbox::MailboxId;
use crate::time::Timestamp;

/// How long reading waits after the store did not take what was read.
const STORE_WAIT_MS: u64 = 1_000;
/// Envelopes that share one step of the store, at most.
const MAX_STEP: usize = 128;
/// Bytes that may wait for the disk before nothing more is read.
const MAX_UNSTORED: usize = 8 << 20;

/// Bytes that were read and are not on the disk yet: a relay that is faster than the disk is read no
/// further.
#[derive(Debug, Default)]
pub(in crate::agent::driver) struct Flow {
    unstored: AtomicUsize,
    less: Notify,
}

impl Flow {
    fn add(&self, bytes: usize) {
        self.unstored.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.unstored.fetch_sub(bytes, Ordering::Relaxed);
        self.less.notify_waiters();
    }

    /// Waits until there is room.
    pub(in crate::agent::driver) async fn room(&self) {
        loop {
            let mut less = std::pin::pin!(self.less.notified());
            // From here on no notice is missed.
            less.as_mut().enable();
            if self.unstored.load(Ordering::Relaxed) < MAX_UNSTORED {
                return;
            }
            less.await;
        }
    }
}

impl Link {
    /// Stores what came in, a step for each mailbox; the acknowledgement follows when it is on the disk.
    pub(super) fn store_arrived(&mut self, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        for (mailbox, envelopes) in std::mem::take(&mut self.arrived) {
            let mut envelopes = envelopes;
            while !envelopes.is_empty() {
                let rest = envelopes.split_off(envelopes.len().min(MAX_STEP));
                let step = std::mem::replace(&mut envelopes, rest);
                let Some((at, last)) = step.last() else { break };
                let (at, hash) = (*at, EnvelopeHash::of(last));
                let bytes = step.iter().map(|(_, envelope)| envelope.len()).sum();
                let before = self.handed.insert(mailbox, Some(at)).flatten();
                self.flow.add(bytes);
                let stored =
                    self.shared.worker.submit(move |batch| batch.receive_page(&mailbox, before, &step));
                let (url, tell, flow) = (self.url.clone(), tell.clone(), self.flow.clone());
                io.spawn(async move {
                    let outcome = stored.await.unwrap_or(Err(Error::Closed));
                    flow.remove(bytes);
                    let _ = tell.send(Input::Stored { url, mailbox, at, hash, outcome }).await;
                });
            }
        }
    }

    /// The store did not take what came in: the relay keeps it, and it is read again from where the
    /// store stands.
    pub(super) fn reread(&mut self, now: Timestamp, mailbox: MailboxId, error: &Error) {
        if self.shared.note_stored(Source::Mailbox(mailbox), Err::<(), _>(error)) {
            tracing::warn!(code = error.code(), "what came in could not be stored");
        } else {
            tracing::debug!(code = error.code(), "what came in could not be stored");
        }
        self.boxes.remove(&mailbox);
        // What is read already does not follow on what the store has.
        self.arrived.remove(&mailbox);
        self.with_client(|c| c.pause_reading(now.plus_millis(STORE_WAIT_MS)));
        self.shared.worker.note_change();
    }
}

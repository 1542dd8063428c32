//! The one thread of a process that touches the store.
//!
//! Callers hand in steps; whatever has queued up while the last transaction was on its way to the
//! disk shares the next one. So many sends cost one sync, and one send costs no more than one. A
//! caller hears of its step only when the step is on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use super::clock::Clock;
use super::engine::{Batch, Engine};
use super::error::Error;
use super::store::{StoreFile, Sync};
use crate::time::Timestamp;

/// Steps that share one transaction, at most.
const MAX_BATCH: usize = 128;

type Deliver = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// A step, or word that there is no transaction to make it in.
type Write = Box<dyn FnOnce(Result<&mut Batch<'_>, &Error>) -> Deliver + Send>;
type Read = Box<dyn FnOnce(&Batch<'_>) + Send>;

enum Job {
    Write(Write, Sync),
    /// A step that no other shares a transaction with.
    Alone(Write),
    Read(Read, Box<dyn FnOnce(Error) + Send>),
    Tidy,
    Stop(oneshot::Sender<()>),
}

/// A handle to the thread. Dropping the last one ends it after the steps that it has.
pub(crate) struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    changes: watch::Sender<u64>,
    _thread: JoinHandle<()>,
}

/// The time by which records expire: our clock, corrected by the relay's.
#[derive(Debug)]
pub(crate) struct RelayTime {
    pub(crate) clock: Clock,
    pub(crate) offset_ms: AtomicI64,
}

impl RelayTime {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().offset_millis(self.offset_ms.load(Ordering::Relaxed))
    }
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<StoreFile>, engine: Engine, time: Arc<RelayTime>) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let changes = watch::Sender::new(0);
        let told = changes.clone();
        let run = move || Run { store, engine, time, queue, told }.run();
        let thread = std::thread::Builder::new()
            .name("wire-store".to_owned())
            .spawn(run)
            .map_err(|_| Error::Internal("no thread for the store"))?;
        Ok(Self { jobs, changes, _thread: thread })
    }

    /// Runs a step; `Ok` means that it is on the disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.submit(step).await.map_err(|_| Error::Closed)?
    }

    /// Runs a step that concerns the caller alone and whose loss in a power cut would cost nothing but
    /// doing it again: a claim. It is synced with the next step that has to be, and wakes nobody.
    pub(crate) async fn note<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.submit_with(Sync::Own, step).await.map_err(|_| Error::Closed)?
    }

    /// [`write`](Self::write) with no other step in the same transaction.
    pub(crate) async fn write_alone<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, told) = job(step);
        let _ = self.jobs.send(Job::Alone(job));
        told.await.map_err(|_| Error::Closed)?
    }

    /// Queues a step without waiting for it.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        self.submit_with(Sync::Now, step)
    }

    /// [`submit`](Self::submit), synced now or later.
    pub(crate) fn submit_with<T: Send + 'static>(
        &self,
        sync: Sync,
        step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        let (job, told) = job(step);
        let _ = self.jobs.send(Job::Write(job, sync));
        told
    }

    /// Looks at one consistent state of the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Batch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = oneshot::channel::<Result<T, Error>>();
        let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
        let take = |tell: &Arc<std::sync::Mutex<Option<oneshot::Sender<_>>>>| {
            tell.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
        };
        let failed = tell.clone();
        let job = Job::Read(
            Box::new(move |batch| {
                if let Some(tell) = take(&tell) {
                    let _ = tell.send(look(batch));
                }
            }),
            Box::new(move |error| {
                if let Some(tell) = take(&failed) {
                    let _ = tell.send(Err(error));
                }
            }),
        );
        self.jobs.send(job).map_err(|_| Error::Closed)?;
        told.await.map_err(|_| Error::Closed)?
    }

    /// Rises whenever something in the store may have changed, here or in another process.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Another process rang.
    pub(crate) fn note_change(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// Lets the store fold its log back if that is due.
    pub(crate) fn tidy(&self) {
        let _ = self.jobs.send(Job::Tidy);
    }

    /// Waits until everything queued so far was carried out, and ends the thread.
    pub(crate) async fn stop(&self) {
        let (tell, told) = oneshot::channel();
        if self.jobs.send(Job::Stop(tell)).is_ok() {
            let _ = told.await;
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

/// A step as a job, and where its outcome is told.
fn job<T: Send + 'static>(
    step: impl FnOnce(&mut Batch<'_>) -> Result<T, Error> + Send + 'static,
) -> (Write, oneshot::Receiver<Result<T, Error>>) {
    let (tell, told) = oneshot::channel();
    let job: Write = Box::new(move |batch| {
        let outcome = batch.map_err(Error::again).and_then(|batch| batch.step(step));
        Box::new(move |committed: Result<(), Error>| {
            // Nobody may be waiting any more; the step stands all the same.
            let _ = tell.send(committed.and(outcome));
        })
    });
    (job, told)
}

struct Run {
    store: Arc<StoreFile>,
    engine: Engine,
    time: Arc<RelayTime>,
    queue: mpsc::UnboundedReceiver<Job>,
    told: watch::Sender<u64>,
}

impl Run {
    fn run(mut self) {
        let mut next = self.queue.blocking_recv();
        while let Some(job) = next.take() {
            match job {
                Job::Write(first, sync) => next = self.write(first, sync, MAX_BATCH),
                Job::Alone(only) => next = self.write(only, Sync::Now, 1),
                Job::Read(look, failed) => self.look(look, failed),
                Job::Tidy => {
                    // A reader elsewhere can put it off; the next call finds it due again.
                    let _ = self.store.checkpoint_if_due(self.time.clock.monotonic());
                }
                Job::Stop(done) => {
                    drop(self);
                    let _ = done.send(());
                    return;
                }
            }
            if next.is_none() {
                next = self.queue.blocking_recv();
            }
        }
    }

    /// Runs `first` and what else is queued, `most` in all, in one transaction. Gives back a job that is none of
    /// these.
    fn write(&mut self, first: Write, first_sync: Sync, most: usize) -> Option<Job> {
        let mut sync = first_sync;
        let mut writes = vec![first];
        let mut next = None;
        while writes.len() < most {
            match self.queue.try_recv() {
                Ok(Job::Write(w, when)) => {
                    writes.push(w);
                    sync = sync.max(when);
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let now = self.time.now();
        let mut writes = Some(writes);
        let mut deliveries = Vec::new();
        let engine = &mut self.engine;
        let committed = self.store.write_with(sync, |tx| {
            let before = tx.total_changes();
            engine.refresh(tx)?;
            let mut batch = Batch::new(engine, tx, now);
            deliveries.extend(writes.take().into_iter().flatten().map(|w| w(Ok(&mut batch))));
            batch.finish()?;
            // A sealed envelope that leaves and is then forgotten in a power cut looks like a clone.
            debug_assert!(sync == Sync::Now || !batch.has_sealed(), "what seals is synced at once");
            Ok(tx.total_changes() != before)
        });
        if let Err(error) = &committed {
            // The transaction may never have begun.
            deliveries.extend(writes.into_iter().flatten().map(|w| w(Err(error))));
        }
        for deliver in deliveries {
            deliver(committed.as_ref().map(|_| ()).map_err(Error::again));
        }
        // Who waits for a change must not be woken by looking for one.
        if sync > Sync::Own && !matches!(committed, Ok(false)) {
            self.told.send_modify(|n| *n += 1);
        }
        next
    }

    fn look(&mut self, look: Read, failed: Box<dyn FnOnce(Error) + Send>) {
        let now = self.time.now();
        let engine = &mut self.engine;
        let outcome = self.store.read(|conn| {
            engine.refresh(conn)?;
            look(&Batch::new(engine, conn, now));
            Ok::<(), Error>(())
        });
        if let Err(error) = outcome {
            failed(error);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Whoever waits for a change learns that there will be none.
        self.told.send_modify(|n| *n += 1);
    }
}

#[cfg(test)]
mod tests;

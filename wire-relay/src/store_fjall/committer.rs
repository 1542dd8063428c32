//! Group commit: one thread writes, and one fsync serves everybody who waits at that moment.
//!
//! 1. [`Committer::run`] waits for room in a queue that is bounded in operations and bytes, and puts
//!    its operation there.
//! 2. The thread takes all that is queued, carries it out in one [`Transaction`], and commits it.
//!    There is no timer: while one group is being synced the next one gathers.
//! 3. After the commit it wakes readers and answers everybody. After a failed one it answers that,
//!    now and to all who come later: the engine must be opened again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wire_core::mailbox::{MailboxId, Op, Outcome};

use super::Fault;
use super::collect::Collect;
use super::room::Room;
use super::tables::Tables;
use super::transaction::Transaction;
use crate::StoreError;
use crate::watch::Hub;

/// Operations that may be queued.
const MAX_OPS: usize = 16_384;
/// Bytes that may be queued, in KiB: 64 MiB.
const MAX_KIB: u32 = 64 << 10;
/// Operations of one group; what is over waits for the next.
const MAX_GROUP_OPS: usize = 4096;
/// Bytes of one group, about: 16 MiB.
const MAX_GROUP_KIB: u32 = 16 << 10;
/// How long an operation waits for room.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    ops: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    garbage: Mutex<BTreeSet<MailboxId>>,
    hub: Hub,
    room: Room,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    failed: Option<StoreError>,
    stopping: bool,
}

#[derive(Debug)]
struct Job {
    work: Work,
    answer: oneshot::Sender<Result<Done, StoreError>>,
    kib: u32,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

#[derive(Debug)]
pub(super) enum Work {
    Op(Op),
    Collect(Collect),
}

#[derive(Debug)]
pub(super) enum Done {
    Outcome(Outcome),
    Removed(u32),
}

impl Committer {
    pub(super) fn start(tables: Tables, hub: Hub, room: Room) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            ops: Arc::new(Semaphore::new(MAX_OPS)),
            kib: Arc::new(Semaphore::new(MAX_KIB as usize)),
            garbage: Mutex::default(),
            hub,
            room,
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("wire-committer".to_owned())
            .spawn(move || of_thread.commit_until_stopped(&tables))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Carries `work` out; the answer comes when it is durable.
    pub(super) async fn run(&self, work: Work) -> Result<Done, StoreError> {
        let kib = kib_of(&work);
        let room = async {
            let op = Arc::clone(&self.shared.ops).acquire_owned().await;
            let kib = Arc::clone(&self.shared.kib).acquire_many_owned(kib).await;
            op.and_then(|op| kib.map(|kib| (op, kib))).map_err(|_| StoreError::Failed)
        };
        let room = tokio::time::timeout(PATIENCE, room).await.map_err(|_| StoreError::Busy)??;
        let (answer, answered) = oneshot::channel();
        self.shared.enqueue(Job { work, answer, kib, _room: room })?;
        answered.await.unwrap_or(Err(StoreError::Failed))
    }

    pub(super) fn failed(&self) -> Option<StoreError> {
        lock(&self.shared.queue).failed
    }

    /// Takes at most `max` mailboxes that have something to sweep.
    pub(super) fn garbage(&self, max: usize) -> Vec<MailboxId> {
        let mut garbage = lock(&self.shared.garbage);
        std::iter::from_fn(|| garbage.pop_first()).take(max).collect()
    }
}

impl Drop for Committer {
    /// What is queued is still carried out.
    fn drop(&mut self) {
        lock(&self.shared.queue).stopping = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

impl Shared {
    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let mut queue = lock(&self.queue);
        if let Some(error) = queue.failed {
            return Err(error);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    fn commit_until_stopped(&self, tables: &Tables) {
        while let Some(group) = self.next_group() {
            self.commit(tables, group);
        }
        if let Err(error) = tables.db.persist(fjall::PersistMode::SyncAll) {
            tracing::error!(%error, "the store could not be closed cleanly");
        }
    }

    fn next_group(&self) -> Option<Vec<Job>> {
        let mut queue = lock(&self.queue);
        while queue.jobs.is_empty() {
            if queue.stopping {
                return None;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut len, mut kib) = (0, 0);
        for job in queue.jobs.iter().take(MAX_GROUP_OPS) {
            if len > 0 && kib + job.kib > MAX_GROUP_KIB {
                break;
            }
            len += 1;
            kib += job.kib;
        }
        Some(queue.jobs.drain(..len).collect())
    }

    fn commit(&self, tables: &Tables, group: Vec<Job>) {
        let mut transaction = Transaction::new(tables);
        let mut answers = Vec::with_capacity(group.len());
        let mut result = Ok(());
        for job in group {
            let done = match (&result, job.work) {
                (Err(_), _) => None,
                (Ok(()), Work::Op(op)) => Some(transaction.execute(op).map(Done::Outcome)),
                (Ok(()), Work::Collect(work)) => Some(transaction.collect(work).map(Done::Removed)),
            };
            let done = match done {
                Some(Ok(done)) => Some(done),
                Some(Err(fault)) => {
                    result = Err(fault);
                    None
                }
                None => None,
            };
            answers.push((job.answer, done));
        }
        let result = result.and_then(|()| transaction.commit().map_err(Fault::from));
        let error = match &result {
            Ok((wake, garbage)) => {
                lock(&self.garbage).extend(garbage);
                wake.iter().for_each(|key| self.hub.wake(key));
                None
            }
            Err(fault) => Some(self.fail(fault)),
        };
        for (answer, done) in answers {
            let told = match (error, done) {
                (None, Some(done)) => Ok(done),
                (error, _) => Err(error.unwrap_or(StoreError::Failed)),
            };
            // Whoever does not wait any more need not know.
            drop(answer.send(told));
        }
    }

    /// From now on nothing is taken; what is queued is refused.
    fn fail(&self, fault: &Fault) -> StoreError {
        let error = match fault {
            // The engine's own threads failed before, and it does not say of what.
            Fault::Engine(fjall::Error::Poisoned) if !self.room.is_there() => StoreError::Full,
            Fault::Engine(_) | Fault::Damaged => StoreError::from(fault),
        };
        tracing::error!(%fault, %error, "the store failed and takes nothing more");
        let mut queue = lock(&self.queue);
        queue.failed = Some(error);
        for job in queue.jobs.drain(..) {
            // Whoever does not wait any more need not know.
            drop(job.answer.send(Err(error)));
        }
        error
    }
}

fn kib_of(work: &Work) -> u32 {
    let bytes = match work {
        Work::Op(Op::Append { envelopes, .. }) => envelopes.iter().map(|(_, e)| e.len() + 256).sum(),
        Work::Op(_) => 512,
        Work::Collect(work) => 64 * work.max as usize,
    };
    u32::try_from(bytes / 1024 + 1).unwrap_or(MAX_KIB).min(MAX_KIB)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

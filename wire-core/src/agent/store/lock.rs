//! Locks between processes: the writers' queue, the polling lease, and who is alive.
//!
//! All are `flock`s on files that are never removed while they are held, so a lock dies with its process,
//! whatever ends it.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::folder::Folder;
use super::{StoreError, StoreFile};
use crate::agent::error::Error;
use crate::entropy::random_name;

/// How long a writer waits for its turn. Each turn takes milliseconds: who has the lock for so long hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A lock file that is there, locked or not.
#[derive(Debug)]
pub(super) struct LockFile {
    folder: Folder,
    name: &'static str,
    file: File,
    /// Where a thread that still waits brings the lock.
    waiting: Mutex<Option<Receiver<Result<File, Errno>>>>,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) enum Held<'a> {
    /// By the file that is always open.
    Own(&'a File),
    /// By a file that was opened to wait with; closing it lets go.
    Waited { _file: File },
}

impl LockFile {
    pub(super) fn open(folder: &Folder, name: &'static str) -> Result<Self, StoreError> {
        let file = folder.open_file(name, OFlags::CREATE | OFlags::RDWR)?;
        Ok(Self { folder: folder.clone(), name, file, waiting: Mutex::default() })
    }

    /// Waits for the lock, but not for a holder that keeps it longer than any work takes:
    /// [`StoreError::Busy`]. Threads that share the `LockFile` must exclude each other by other means.
    pub(super) fn exclusive(&self) -> Result<Held<'_>, StoreError> {
        let failed = |e: Errno| StoreError::io(&self.folder.file(self.name), e.into());
        let end = Instant::now() + LOCK_TIMEOUT;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if try_lock(&self.file).map_err(failed)? {
                return Ok(Held::Own(&self.file));
            }
            let brought = match waiting.take() {
                Some(brought) => brought,
                None => self.wait_apart()?,
            };
            match brought.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(file) => return Ok(Held::Waited { _file: file.map_err(failed)? }),
                Err(RecvTimeoutError::Timeout) => {
                    *waiting = Some(brought);
                    return Err(StoreError::Busy);
                }
                // It had the lock before anybody listened.
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// The kernel can wait for a lock in turn, but for no limited time: so a thread does, which lets go at
    /// once of a lock that nobody waits for any more.
    fn wait_apart(&self) -> Result<Receiver<Result<File, Errno>>, StoreError> {
        let file = self.folder.open_file(self.name, OFlags::RDWR)?;
        let (bring, brought) = sync_channel(0);
        let wait = move || {
            let locked = lock(&file).map(|()| file);
            // Only to who listens right now: an unheard lock would be held for ever.
            let _ = bring.try_send(locked);
        };
        let spawned = std::thread::Builder::new().name("wire-lock".to_owned()).spawn(wait);
        spawned.map_err(|e| StoreError::io(&self.folder.file(self.name), e))?;
        Ok(brought)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Self::Own(file) = self {
            // Closing the file would do the same; there is nothing else to do about a failure.
            let _ = flock(*file, FlockOperation::Unlock);
        }
    }
}

/// The right to poll the relay for this agent, for as long as it lives.
///
/// It saves work and is not needed for correctness: two pollers do no harm. So a holder that hangs is
/// polled past, which [`PollWatch`] tells.
#[derive(Debug)]
pub(crate) struct PollLease {
    file: File,
    path: PathBuf,
    beats: u64,
    said: u8,
}

impl PollLease {
    /// The lease, unless another holder is alive. Threads of one process exclude each other too.
    pub(crate) fn try_acquire(store: &StoreFile) -> Result<Option<Self>, StoreError> {
        let file = store.folder.open_file(POLL_LOCK, OFlags::CREATE | OFlags::RDWR)?;
        let path = store.folder.file(POLL_LOCK);
        if !try_lock(&file).map_err(|e| StoreError::io(&path, e.into()))? {
            return Ok(None);
        }
        let beats = read_beats(&file);
        let mut lease = Self { file, path, beats, said: 0 };
        lease.beat(None)?;
        Ok(Some(lease))
    }

    /// Shows that the holder still polls, and why its store does not take what comes, if so; due at every
    /// poll, at least every 10 s.
    pub(crate) fn beat(&mut self, failure: Option<&Error>) -> Result<(), StoreError> {
        self.beats = self.beats.wrapping_add(1);
        self.said = word(failure);
        // A file that is there once takes these bytes on a full disk too.
        let mut bytes = self.beats.to_be_bytes().to_vec();
        bytes.push(self.said);
        self.file.write_all_at(&bytes, 0).map_err(|e| StoreError::io(&self.path, e))
    }

    /// Whether others do not know that yet.
    pub(crate) fn is_news(&self, failure: Option<&Error>) -> bool {
        self.said != word(failure)
    }

    /// Why the store of the holder does not take what comes, if it said so.
    pub(crate) fn failure_of_holder(store: &StoreFile) -> Option<StoreError> {
        let file = store.folder.open_file(POLL_LOCK, OFlags::CREATE | OFlags::RDWR).ok()?;
        let mut said = [0u8; 1];
        file.read_exact_at(&mut said, BEATS_LEN).ok()?;
        match said {
            [0] => None,
            [1] => Some(StoreError::DiskFull),
            _ => Some(StoreError::Sql("another process could not write to it".into())),
        }
    }
}

/// A failure in one byte of the lease's file.
fn word(failure: Option<&Error>) -> u8 {
    match failure {
        None => 0,
        Some(Error::Store(StoreError::DiskFull)) => 1,
        Some(_) => 2,
    }
}

/// Watches the lease of another process.
///
/// What is compared is a counter and the watcher's own monotonic time, so no two clocks have to agree.
#[derive(Debug, Default)]
pub(crate) struct PollWatch {
    seen: Option<(u64, Instant)>,
}

impl PollWatch {
    /// A holder that shows nothing for this long hangs, as far as others care.
    pub(crate) const SILENCE: Duration = Duration::from_secs(30);

    /// Whether the holder has been silent for [`Self::SILENCE`], so that others may poll as well.
    pub(crate) fn is_silent(&mut self, store: &StoreFile, now: Instant) -> Result<bool, StoreError> {
        let beats = read_beats(&store.folder.open_file(POLL_LOCK, OFlags::CREATE | OFlags::RDWR)?);
        match self.seen {
            Some((last, since)) if last == beats => Ok(now.saturating_duration_since(since) >= Self::SILENCE),
            _ => {
                self.seen = Some((beats, now));
                Ok(false)
            }
        }
    }
}

/// The sign of life of one process: its token is written into rows that it claims.
pub(crate) struct ProcessLock {
    token: String,
    path: PathBuf,
    _file: File,
}

impl ProcessLock {
    /// Takes a fresh token and holds its lock.
    pub(crate) fn acquire(store: &StoreFile) -> Result<Self, StoreError> {
        let run = store.folder.run();
        let token = format!("{}-{}", std::process::id(), random_name::<8>());
        let (early, path) = (format!("run/{token}.new"), run.join(format!("{token}.lock")));
        let file = store.folder.open_file(&early, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR)?;
        // Locked before it has the name that others judge by, or they might take it for a dead one.
        let locked = try_lock(&file).map_err(|e| StoreError::io(&path, e.into()))?;
        debug_assert!(locked, "nobody else knows the file");
        fs::rename(store.folder.file(&early), &path).map_err(|e| StoreError::io(&path, e))?;
        let lock = Self { token, path, _file: file };
        lock.bury_the_dead(store)?;
        Ok(lock)
    }

    /// Removes what killed processes have left; who claimed nothing is looked for by nobody else.
    fn bury_the_dead(&self, store: &StoreFile) -> Result<(), StoreError> {
        let run = store.folder.run();
        for entry in fs::read_dir(&run).map_err(|e| StoreError::io(&run, e))?.flatten() {
            let name = entry.file_name();
            let token = name.to_str().and_then(|name| name.strip_suffix(".lock"));
            if let Some(token) = token.filter(|token| *token != self.token) {
                Self::is_alive(store, token)?;
            }
        }
        Ok(())
    }

    /// The name of this process in the rows that it claims.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether the process of `token` lives. The file of a dead one is removed.
    pub(crate) fn is_alive(store: &StoreFile, token: &str) -> Result<bool, StoreError> {
        // Tokens come back from rows; one that is no plain name belongs to nobody.
        if token.is_empty() || token.contains(['/', '\0']) {
            return Ok(false);
        }
        let name = format!("run/{token}.lock");
        let path = store.folder.file(&name);
        let file = match store.folder.open_file(&name, OFlags::RDWR) {
            Ok(file) => file,
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        let dead = try_lock(&file).map_err(|e| StoreError::io(&path, e.into()))?;
        if dead {
            store.folder.remove(&name)?;
        }
        Ok(!dead)
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl fmt::Debug for ProcessLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessLock({})", self.token)
    }
}

const POLL_LOCK: &str = "poll.lock";
/// The beats stand before what the holder says.
const BEATS_LEN: u64 = 8;

fn lock(file: &File) -> Result<(), Errno> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}

fn try_lock(file: &File) -> Result<bool, Errno> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
}

fn read_beats(file: &File) -> u64 {
    let mut bytes = [0u8; 8];
    // A file too short for a counter is a new one.
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => u64::from_be_bytes(bytes),
        Err(_) => 0,
    }
}

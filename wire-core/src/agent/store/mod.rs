//! The store of an agent: one SQLite file that many processes share, and nothing that is said in it.
//!
//! A writer, whichever process it is in:
//!
//! 1. takes `write.lock`, so that processes queue instead of colliding;
//! 2. opens a transaction with `BEGIN IMMEDIATE` and makes sure that the file is still of its version;
//! 3. runs the closure, and commits only if the closure succeeds: committed means on the disk;
//! 4. lets go of the lock and rings the doorbell of the other processes.
//!
//! Beside `agent.db` lie `write.lock`, `poll.lock` (who polls the relay) and `run/` (who is alive, and
//! their doorbells). The folder is for its owner alone, and on a local disk.

#![expect(clippy::disallowed_methods, reason = "the adapter of the file system")]

mod create;
mod doorbell;
mod error;
mod folder;
mod lock;
mod network;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, fs};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub(crate) use self::doorbell::Doorbell;
pub(super) use self::error::is_disk_full;
pub use self::error::{Fault, StoreError};
pub(crate) use self::lock::{PollLease, PollWatch, ProcessLock};

use self::doorbell::Bell;
use self::folder::Folder;
use self::lock::LockFile;

/// The name of the database inside the folder.
pub(crate) const DB_FILE: &str = "agent.db";
/// The name of the file of the next identity key, beside it.
pub(crate) const NEXT_KEY_FILE: &str = "next.key";

/// A write-ahead log this large is folded back and emptied.
const WAL_LIMIT: u64 = 4 << 20;
/// And so is any that holds something for this long: spent keys linger in it until then.
const WAL_AGE: Duration = Duration::from_secs(60);
/// Pages given back to the file system per checkpoint.
const VACUUM_PAGES: u32 = 256;
/// Only readers, or a process that checkpoints, are ever waited for: writers queue at the lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// One step of the schema; the version of a file is how many steps it has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// Statements, run once, in one transaction with all later steps.
    pub(crate) sql: &'static str,
}

/// An open store. `&self` is enough for everything; one thread at a time is inside.
pub(crate) struct StoreFile {
    folder: Folder,
    writers: LockFile,
    inner: Mutex<Inner>,
    bell: Bell,
    version: i32,
}

/// When a transaction has to be on the disk, and whom it concerns. Where several steps share one, the
/// greatest holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sync {
    /// As [`Later`](Self::Later), and nobody has to look at what changed but who changed it.
    Own,
    /// Some time: losing it costs work that is done again, and nothing else.
    Later,
    /// Before the call returns: somebody will be told that it happened.
    Now,
}

struct Inner {
    conn: Connection,
    /// Each commit is synced.
    full: bool,
    emptied: Option<Instant>,
}

impl Inner {
    /// In WAL mode FULL syncs the log at each commit, NORMAL leaves that to the next FULL one.
    fn sync(&mut self, sync: Sync) -> Result<(), StoreError> {
        let full = sync == Sync::Now;
        if self.full != full {
            let level = if full { "FULL" } else { "NORMAL" };
            self.conn.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.full = full;
        }
        Ok(())
    }
}

impl StoreFile {
    /// Opens the store in `dir`, making folder (0700) and file (0600) with what `fill` writes if there are
    /// none, and brings its schema up to date.
    ///
    /// Nothing is ever repaired or overwritten: what is not a store of at most this version is an error.
    /// Closing does not fold the log back, so a short-lived process pays for its own commits alone.
    pub(crate) fn open_or_make<E: From<StoreError>>(
        dir: &Path,
        schema: &'static [Migration],
        fill: impl FnOnce(&Transaction<'_>, &Path) -> Result<(), E>,
    ) -> Result<Self, E> {
        let folder = Folder::open(dir)?;
        let writers = LockFile::open(&folder, "write.lock")?;
        let held = writers.exclusive()?;
        folder.check_files()?;
        if !folder.has(DB_FILE)? {
            create::new_file(&folder, schema, fill)?;
        }
        let mut conn = connect(&folder.file(DB_FILE)).map_err(|e| e.at(&folder.file(DB_FILE)))?;
        let version = create::bring_up_to_date(&mut conn, schema).map_err(|e| e.at(&folder.file(DB_FILE)))?;
        folder.check_files()?;
        drop(held);

        let bell = Bell::new(&folder);
        let store = Self {
            folder,
            writers,
            inner: Mutex::new(Inner { conn, full: true, emptied: None }),
            bell,
            version,
        };
        // Where no process lives long, whoever finds the log grown empties it.
        if store.wal_len() >= WAL_LIMIT {
            store.checkpoint()?;
        }
        Ok(store)
    }

    /// Whether there is anything of a store in `dir`, whole or not.
    pub(crate) fn is_begun(dir: &Path) -> Result<bool, StoreError> {
        create::is_begun(dir)
    }

    #[cfg(test)]
    pub(crate) fn open(dir: &Path, schema: &'static [Migration]) -> Result<Self, StoreError> {
        Self::open_or_make(dir, schema, |_, _| Ok(()))
    }

    /// Runs `work` in a transaction that is on the disk when this returns `Ok`, and leaves no trace when it
    /// returns `Err` or panics.
    ///
    /// Blocks the thread while another process writes, so not for a runtime's own threads; `work` must not
    /// call this store again. Every other process that listens at a [`Doorbell`] is woken if
    /// something changed.
    #[cfg(test)]
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_with(Sync::Now, work)
    }

    /// [`write`](Self::write), synced now or with the next one that is.
    ///
    /// What is synced later survives the death of this process, and a power cut takes it back as a whole,
    /// together with everything after it and nothing before it.
    pub(crate) fn write_with<T, E: From<StoreError>>(
        &self,
        sync: Sync,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, changed) = {
            let mut inner = self.inner();
            inner.sync(sync)?;
            let _held = self.writers.exclusive()?;
            let before = inner.conn.total_changes();
            let tx = begin(&mut inner.conn, TransactionBehavior::Immediate)?;
            self.check_version(&tx)?;
            let value = work(&tx)?;
            tx.commit().map_err(StoreError::from)?;
            (value, inner.conn.total_changes() != before)
        };
        if changed && sync > Sync::Own {
            self.bell.ring();
        }
        Ok(value)
    }

    /// Runs `work` on one consistent state of the file. Keep it short: the log cannot be emptied meanwhile.
    ///
    /// What `work` writes is rolled back; it must not call this store again.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.inner();
        let tx = begin(&mut inner.conn, TransactionBehavior::Deferred)?;
        work(&tx)
    }

    /// Empties the log if it is due, for processes that live long: `now` is their monotonic clock.
    ///
    /// Due is a log of 4 MiB, or one that is not empty and was last emptied 60 s ago. `Ok(true)` if it
    /// was emptied now; a reader elsewhere can put it off to the next call.
    pub(crate) fn checkpoint_if_due(&self, now: Instant) -> Result<bool, StoreError> {
        let wal = self.wal_len();
        let first_or_old = {
            let mut inner = self.inner();
            let since = *inner.emptied.get_or_insert(now);
            now.saturating_duration_since(since) >= WAL_AGE
        };
        if wal == 0 || (wal < WAL_LIMIT && !first_or_old) {
            return Ok(false);
        }
        let done = self.checkpoint()?;
        if done {
            self.inner().emptied = Some(now);
        }
        Ok(done)
    }

    /// Folds the log back into the file and empties it; free pages go back to the file system.
    ///
    /// After `Ok(true)` nothing that was deleted is left in any of the files. A process that lives long
    /// does this before it ends.
    pub(crate) fn checkpoint(&self) -> Result<bool, StoreError> {
        let inner = self.inner();
        let _held = self.writers.exclusive()?;
        free_pages(&inner.conn)?;
        let busy: i64 = inner.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Reads every page and index, for `doctor`: seconds on a large store.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a check-up reads every page"))]
    pub(crate) fn verify(&self) -> Result<(), StoreError> {
        let inner = self.inner();
        let word: String = inner.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if word == "ok" { Ok(()) } else { Err(StoreError::corrupt(&self.folder.file(DB_FILE), &word)) }
    }

    /// The folder of the agent, every symbolic link in it resolved.
    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// A number that changes when another process commits; `None` while a thread of this one is at work.
    fn data_version(&self) -> Option<i64> {
        let inner = self.inner.try_lock().ok()?;
        inner.conn.query_row("PRAGMA data_version", [], |row| row.get(0)).ok()
    }

    fn check_version(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        match create::version(tx)? {
            found if found == self.version => Ok(()),
            found => Err(StoreError::Newer { path: self.folder.file(DB_FILE), found, known: self.version }),
        }
    }

    fn wal_len(&self) -> u64 {
        fs::symlink_metadata(self.folder.file("agent.db-wal")).map_or(0, |meta| meta.len())
    }

    /// A panic inside a closure rolled its transaction back, so a poisoned store is a sound one.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StoreFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreFile({})", self.folder.path().display())
    }
}

fn begin(conn: &mut Connection, behavior: TransactionBehavior) -> Result<Transaction<'_>, StoreError> {
    Ok(conn.transaction_with_behavior(behavior)?)
}

/// Each step of this pragma frees one page, so it has to be stepped to its end.
fn free_pages(conn: &Connection) -> Result<(), StoreError> {
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// A connection to an existing file with every setting that is per connection.
fn connect(path: &PathBuf) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Without this SQLite compiles many statements anew for each set of values.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Sorting must not spill what was opened into files of its own.
    conn.execute_batch(
        "PRAGMA temp_store = MEMORY;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA cell_size_check = ON;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(conn)
}

#[cfg(test)]
mod tests;

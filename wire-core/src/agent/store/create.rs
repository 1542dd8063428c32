//! A new file, and an old one brought up to date.
//!
//! A new store is made under another name and renamed when it is complete, its first rows included. So an
//! `agent.db` that is empty or lacks our mark is never an unfinished one: it is damaged or not ours, and is
//! left as it is. And what lies where an `agent.db` is missing is the rest of a store, not a new one's.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rustix::fs::OFlags;

use super::folder::Folder;
use super::{DB_FILE, Migration, NEXT_KEY_FILE, StoreError, begin, connect};

/// "wire" in ASCII: what `file` and SQLite's own tools tell this format by.
const APPLICATION_ID: i32 = 0x7769_7265;

const NEW_FILE: &str = "agent.db.new";

/// Makes `agent.db` with what `fill` writes; the caller holds the write lock.
pub(super) fn new_file<E: From<StoreError>>(
    folder: &Folder,
    schema: &[Migration],
    fill: impl FnOnce(&Transaction<'_>, &Path) -> Result<(), E>,
) -> Result<(), E> {
    let unfinished = folder.has(NEW_FILE)?;
    for rest in ["agent.db-wal", "agent.db-shm", NEXT_KEY_FILE] {
        // The next key is written before the store has its name.
        if folder.has(rest)? && !(unfinished && rest == NEXT_KEY_FILE) {
            let detail = format!("it is missing, and {rest} is left of it");
            return Err(StoreError::corrupt(&folder.file(DB_FILE), &detail).into());
        }
    }
    begin_file(folder)?;
    let path = folder.file(NEW_FILE);
    let named = |e: StoreError| e.at(&path);
    let mut conn = connect(&path).map_err(named)?;
    prepare(&conn).map_err(named)?;
    let tx = begin(&mut conn, TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(StoreError::from)?;
    migrate(&tx, schema, 0)?;
    fill(&tx, folder.path())?;
    tx.commit().map_err(StoreError::from)?;
    conn.close().map_err(|(_, e)| StoreError::from(e))?;

    folder.sync_file(NEW_FILE)?;
    fs::rename(&path, folder.file(DB_FILE)).map_err(|e| StoreError::io(&path, e))?;
    Ok(folder.sync()?)
}

/// Whether a store is in `dir`, or what is left of one. What never got its name does not count.
pub(super) fn is_begun(dir: &Path) -> Result<bool, StoreError> {
    let is_there = |name: &str| match fs::symlink_metadata(dir.join(name)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io(&dir.join(name), e)),
    };
    if is_there(NEW_FILE)? && !is_there(DB_FILE)? {
        return Ok(false);
    }
    for name in [DB_FILE, "agent.db-wal", "agent.db-shm", NEXT_KEY_FILE] {
        if is_there(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn begin_file(folder: &Folder) -> Result<(), StoreError> {
    // The key of an unfinished store goes first: without that store it would be the rest of a finished one.
    let leftovers = [NEXT_KEY_FILE, NEW_FILE, "agent.db.new-wal", "agent.db.new-shm", "agent.db.new-journal"];
    for leftover in leftovers {
        folder.remove(leftover)?;
    }
    folder.open_file(NEW_FILE, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR).map(drop)
}

fn prepare(conn: &Connection) -> Result<(), StoreError> {
    // Closing folds the log in, so that the file is complete by itself.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?)
}

/// Checks that the file is ours and of a version we know, runs what is missing, returns its version.
///
/// The caller holds the write lock.
pub(super) fn bring_up_to_date(conn: &mut Connection, schema: &[Migration]) -> Result<i32, StoreError> {
    let known = count(schema);
    let tx = begin(conn, TransactionBehavior::Deferred)?;
    let id: i32 = tx.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(StoreError::Corrupt { detail: "not a store of this program".to_owned() });
    }
    let found = version(&tx)?;
    // Parses the whole schema, which a damaged first page does not survive.
    tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    drop(tx);
    if found > known {
        return Err(StoreError::Newer { path: Default::default(), found, known });
    }
    // Only now, since it writes; a copy made by SQLite's own tools has lost the mode.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Corrupt { detail: format!("it stays in journal mode {mode}") });
    }
    if found < known {
        let tx = begin(conn, TransactionBehavior::Immediate)?;
        migrate(&tx, schema, found)?;
        tx.commit()?;
    }
    Ok(known)
}

pub(super) fn version(tx: &Transaction<'_>) -> Result<i32, StoreError> {
    Ok(tx.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?)
}

fn migrate(tx: &Transaction<'_>, schema: &[Migration], from: i32) -> Result<(), StoreError> {
    for step in schema.iter().skip(usize::try_from(from).unwrap_or(0)) {
        tx.execute_batch(step.sql)?;
    }
    Ok(tx.pragma_update(None, "user_version", count(schema))?)
}

fn count(schema: &[Migration]) -> i32 {
    i32::try_from(schema.len()).unwrap_or(i32::MAX)
}

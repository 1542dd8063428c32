//! Effects that happen exactly once: [`Message::with_tx`], over the application's own SQLite database.
//!
//! A message is handed out at least once. What it causes in a database happens once if the fact that it was
//! processed is committed in the same transaction: the table `wire_applied` of that database holds the sender's
//! root and the id of each message that was applied.
//!
//! 1. Begin; insert the message into `wire_applied`. Is it there already, the effect is skipped.
//! 2. Run the effect; commit. Whatever ends the program before leaves neither.
//! 3. Only then the message is acknowledged in the agent's own store. Whatever ends the program in between makes
//!    the message come again, and then step 1 finds it.
//!
//! The two stores are never written in one transaction: a write-ahead log is atomic for one file alone.
//!
//! ```no_run
//! use wire_core::agent::effects::{Database, Value};
//! # async fn example(me: wire_core::Agent) -> wire_core::Result<()> {
//! let ledger = Database::open("ledger.db").await?;
//! let mut inbox = me.inbox();
//! while let Some(message) = inbox.next().await.transpose()? {
//!     let text = message.text()?.to_owned();
//!     message
//!         .with_tx(&ledger, move |tx| {
//!             tx.execute("INSERT INTO entries (text) VALUES (?)", &[Value::Text(text)])?;
//!             Ok::<_, wire_core::Error>(())
//!         })
//!         .await?;
//! }
//! # Ok(())
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "an effect may block, so it runs on a thread for that")]

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, params, params_from_iter};

use super::error::{Error, Result};
use super::inbox::Message;
use super::store::is_disk_full;
use crate::identity::Root;
use crate::record::RecordId;
use crate::time::Timestamp;

/// How long another process of the application may keep the database to itself.
const BUSY: Duration = Duration::from_secs(10);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS wire_applied (
    peer BLOB NOT NULL, -- root of the sender
    id   BLOB NOT NULL, -- of the message
    at   INTEGER NOT NULL,
    PRIMARY KEY (peer, id)
) WITHOUT ROWID";

/// A database of the application. Clones are the same connection, which one effect at a time has.
#[derive(Clone)]
pub struct Database {
    conn: Arc<Mutex<Connection>>,
    path: PathBuf,
}

/// What the application does to its database for one message. It can neither commit nor roll back: giving `Ok`
/// or `Err` does.
pub struct Tx<'t>(&'t Connection);

/// A value of SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// `INTEGER`.
    Integer(i64),
    /// `REAL`.
    Real(f64),
    /// `TEXT`.
    Text(String),
    /// `BLOB`.
    Blob(Vec<u8>),
}

/// What came of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied<T> {
    /// It happened now, and gave this.
    Now(T),
    /// It had happened before; this time only the message was acknowledged.
    Before,
}

/// Why the application's database did not do what it was asked. Nothing of the transaction happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Another process has it for longer than ten seconds.
    #[error("the application's database is in use")]
    Busy,
    /// No room on its disk.
    #[error("no room for the application's database")]
    Full,
    /// It may not be written.
    #[error("the application's database may not be written")]
    ReadOnly,
    /// The statement, the values or the file are not acceptable to SQLite.
    #[error("the application's database: {0}")]
    Sql(String),
    /// The effect ended the transaction by itself, so it is unknown what happened.
    #[error("the effect itself committed or rolled back; it must leave that to with_tx")]
    Ended,
}

impl Database {
    /// Opens the file, makes it if there is none, and in it the table `wire_applied`.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let open = move || {
            let conn = Connection::open(&path)?;
            conn.busy_timeout(BUSY)?;
            conn.execute_batch(TABLE)?;
            // As the agent finds its own folder: with every link resolved.
            let path = path.canonicalize().unwrap_or(path);
            Ok::<_, DatabaseError>(Self { conn: Arc::new(Mutex::new(conn)), path })
        };
        let outcome = tokio::task::spawn_blocking(open).await;
        Ok(outcome.map_err(|_| Error::Internal("opening the database failed"))??)
    }

    /// Runs the effect of a message that was not applied before, in one transaction with the note that it was.
    fn apply<T, E: From<DatabaseError>>(
        &self,
        (root, id): (Root, RecordId),
        now: Timestamp,
        effect: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<Applied<T>, E> {
        // A panic of an effect rolled its transaction back.
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let tx =
            conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(DatabaseError::from)?;
        let is_new = tx
            .execute(
                "INSERT OR IGNORE INTO wire_applied (peer, id, at) VALUES (?, ?, ?)",
                params![root.as_bytes(), id.as_bytes(), now.as_millis()],
            )
            .map_err(DatabaseError::from)?;
        if is_new == 0 {
            return Ok(Applied::Before);
        }
        let value = effect(&mut Tx(&tx))?;
        if tx.is_autocommit() {
            return Err(DatabaseError::Ended.into());
        }
        tx.commit().map_err(DatabaseError::from)?;
        Ok(Applied::Now(value))
    }
}

impl Message {
    /// Runs `effect` on the application's database exactly once for this message, however often the message is
    /// handed out and whenever the program ends, and then acknowledges the message.
    ///
    /// The effect runs on a thread where it may block. What it does elsewhere than in the [`Tx`], such as sending
    /// a mail, happens at least once only. Dropping the future does not stop an effect that has begun.
    ///
    /// # Errors
    /// What the effect gives, and then nothing happened and the message can be given back or rejected; or that of
    /// the database; or of the acknowledgement, and then the effect has happened and the message comes again.
    pub async fn with_tx<T, E>(
        &self,
        database: &Database,
        effect: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Applied<T>, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if database.path.starts_with(self.store_folder()) {
            return Err(Error::usage("an application keeps its data in a database of its own").into());
        }
        let (database, key, now) = (database.clone(), (self.sender_root(), self.id()), self.now());
        let work = move || database.apply(key, now, |tx| effect(tx).map_err(Failed::Effect));
        let outcome = tokio::task::spawn_blocking(work).await;
        let applied =
            outcome.map_err(|_| Error::Internal("the effect panicked"))?.map_err(|failed| match failed {
                Failed::Effect(error) => error,
                Failed::Database(error) => Error::Database(error).into(),
            })?;
        self.ack().await.map_err(E::from)?;
        Ok(applied)
    }
}

enum Failed<E> {
    Effect(E),
    Database(DatabaseError),
}

impl<E> From<DatabaseError> for Failed<E> {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Tx<'_> {
    /// Runs one statement that gives no rows, and says how many it changed.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<usize, DatabaseError> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    /// Runs one statement and gives all its rows.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|n| row.get_ref(n).map(Value::from)).collect::<Result<_, _>>()?;
            found.push(values);
        }
        Ok(found)
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(n) => Self::Integer(n),
            ValueRef::Real(n) => Self::Real(n),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(n) => ValueRef::Integer(*n),
            Self::Real(n) => ValueRef::Real(*n),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[doc(hidden)]
impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(raw) if is_disk_full(raw) => Self::Full,
            Some(raw) if matches!(raw.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy
            }
            Some(raw) if matches!(raw.code, ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::ReadOnly
            }
            _ => Self::Sql(error.to_string()),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.path.display())
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx(..)")
    }
}

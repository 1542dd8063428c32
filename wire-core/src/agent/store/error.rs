//! What can be wrong with a store, grouped by who must act.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why the store did not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the file longer than it should. Transient.
    #[error("the store is busy: another process holds it")]
    Busy,
    /// No space, or over a quota. Transient: space may come back.
    #[error("the disk is full")]
    DiskFull,
    /// The file system does not take writes.
    #[error("the store is read-only")]
    ReadOnly,
    /// A folder or file that others could read, write or swap.
    #[error("{} {fault}", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        fault: Fault,
    },
    /// A file system on which locks between machines do not hold.
    #[error("{} is on a network file system ({kind})", path.display())]
    NetworkFileSystem {
        /// The folder.
        path: PathBuf,
        /// The kind of file system.
        kind: String,
    },
    /// Written by a newer version of this program.
    #[error("{} is of version {found}, this program knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The newest that is understood.
        known: i32,
    },
    /// Not a store, or a damaged one. It was left as it is.
    #[error("the store is damaged and was left as it is ({detail})")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// The system refused a file operation.
    #[error("{}: {source}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A statement failed for another reason.
    #[error("the store failed: {0}")]
    Sql(#[source] Box<dyn Error + Send + Sync>),
}

/// What is unsafe about a folder or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A symbolic link.
    #[error("is a symbolic link; put the real one in its place")]
    Symlink,
    /// A folder where a file should be, or the other way round, or a special file.
    #[error("is not a regular file or folder; move it away")]
    Kind,
    /// It belongs to someone else.
    #[error("belongs to another user; run as that user or chown it")]
    Owner,
    /// It has a second name that might be elsewhere.
    #[error("has more than one hard link; copy it and move the original away")]
    Links,
    /// Others have access to it.
    #[error("is open to other users (mode {0:o}); run: chmod go-rwx on it")]
    Mode(u32),
}

impl StoreError {
    /// What to do next, where there is something to do.
    pub const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Busy => "try again; nothing was changed",
            Self::DiskFull => "free some space; nothing was lost",
            Self::ReadOnly => "remount its file system, or make the files writable",
            Self::NetworkFileSystem { .. } => "set WIRE_HOME to a folder on a local disk",
            Self::Newer { .. } => "update this program; the store was not touched",
            Self::Corrupt { .. } => {
                "restore the agent's whole folder from a copy, or move it away and pair again"
            }
            Self::Unsafe { .. } | Self::Io { .. } => "mend that and try again; nothing was changed",
            Self::Sql(_) => return None,
        })
    }

    /// Whether the same call may succeed later without anyone changing the program or its configuration.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Busy | Self::DiskFull => true,
            Self::ReadOnly
            | Self::Unsafe { .. }
            | Self::NetworkFileSystem { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Io { .. }
            | Self::Sql(_) => false,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::DiskFull
        } else if source.kind() == io::ErrorKind::ReadOnlyFilesystem {
            Self::ReadOnly
        } else {
            Self::Io { path: path.to_owned(), source }
        }
    }

    pub(super) fn corrupt(path: &Path, detail: &str) -> Self {
        Self::Corrupt { detail: format!("{}: {detail}", path.display()) }
    }

    /// Names the file in an error that could not know it.
    pub(super) fn at(self, file: &Path) -> Self {
        if let Self::Corrupt { detail } = self {
            return Self::corrupt(file, &detail);
        }
        if let Self::Newer { found, known, .. } = self {
            return Self::Newer { path: file.to_owned(), found, known };
        }
        self
    }
}

#[doc(hidden)]
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(raw) = error.sqlite_error() else { return Self::of_value(error) };
        match (raw.code, raw.extended_code) {
            _ if is_disk_full(raw) => Self::DiskFull,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
            (ErrorCode::ReadOnly, _) => Self::ReadOnly,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
                Self::Corrupt { detail: error.to_string() }
            }
            _ => Self::of_value(error),
        }
    }
}

/// What is written beside a database finds no room either.
pub(in crate::agent) fn is_disk_full(error: &ffi::Error) -> bool {
    error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
}

impl StoreError {
    /// A value or a schema that no version of this program has written.
    fn of_value(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..) => Self::Corrupt { detail: error.to_string() },
            // Our statements are right for our schema, so it is the schema that has lost something.
            E::SqlInputError { msg, .. } | E::SqliteFailure(_, Some(msg)) if msg.starts_with("no such") => {
                Self::Corrupt { detail: msg }
            }
            other => Self::Sql(Box::new(other)),
        }
    }
}

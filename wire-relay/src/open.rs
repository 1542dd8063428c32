//! Why a relay does not start.

use std::path::PathBuf;

/// A relay that could not be opened. Nothing was changed on disk, but for what a first start makes; a
/// store that is damaged may have been cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory, key or store could not be read or made.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file is not 32 bytes long.
    #[error("{0} is not a relay key; restore it from a backup, a new key is a new relay")]
    BadKey(PathBuf),
    /// Others than the owner can read the key file.
    #[error("others can read {0}; run: chmod 600 {0}")]
    KeyReadable(PathBuf),
    /// Another process uses the store.
    #[error("the store in {0} is in use by another process")]
    Locked(PathBuf),
    /// The store was written by another version than this one knows.
    #[error("the store in {0} was written by another version of this program; use that one")]
    Newer(PathBuf),
    /// The store is damaged.
    #[error("the store in {path} is damaged: {detail}; restore it from a backup")]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// What the engine says.
        detail: String,
    },
}

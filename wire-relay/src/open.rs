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
    #[error("{0} is not a relay key")]
    BadKey(PathBuf),
    /// There is a store, and the key that it belongs to is gone.
    #[error("{0} is missing, and there is a store beside it")]
    KeyMissing(PathBuf),
    /// Others than the owner can read the key file.
    #[error("others can read {0}")]
    KeyReadable(PathBuf),
    /// Another process uses the store.
    #[error("the store in {0} is in use by another process")]
    Locked(PathBuf),
    /// The store was written by another version than this one knows.
    #[error("the store in {0} was written by another version of this program")]
    Newer(PathBuf),
    /// The store is damaged.
    #[error("the store in {path} is damaged: {detail}")]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// What the engine says.
        detail: String,
    },
}

impl OpenError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::BadKey(_) | Self::KeyMissing(_) => {
                "restore it from a backup: a new key is a new relay to every client"
            }
            Self::KeyReadable(_) => "run: chmod 600 on it",
            Self::Locked(_) => "stop the other process, or choose another folder: --data",
            Self::Newer(_) => "use the version that wrote it; the store was not touched",
            Self::Corrupt { .. } => "restore it from a backup",
            Self::Io { .. } => "mend that, or choose another folder: --data",
        }
    }
}

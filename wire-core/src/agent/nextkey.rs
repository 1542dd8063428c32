//! The next identity key, in a file of its own beside the store: whoever steals the store alone
//! cannot rotate the identity.

#![expect(clippy::disallowed_methods, reason = "the adapter of this one file")]

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::error::Error;
use super::store::{NEXT_KEY_FILE, StoreError};
use crate::identity::NextKey;

/// Writes the seed, 0600 and on the disk when this returns. A file left by an agent that was never
/// committed is replaced.
pub(super) fn write(folder: &Path, key: &NextKey) -> Result<(), Error> {
    let path = folder.join(NEXT_KEY_FILE);
    let failed = |source| Error::Store(StoreError::Io { path: path.clone(), source });
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(key.seed().as_slice()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::File::open(folder).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// Whether the key still lies here, that is, no backup has taken it away.
pub(super) fn is_here(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(NEXT_KEY_FILE)).is_ok()
}

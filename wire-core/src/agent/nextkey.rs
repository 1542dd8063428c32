//! The next identity key, in a file of its own beside the store: whoever steals the store alone
//! cannot rotate the identity.

#![expect(clippy::disallowed_methods, reason = "the adapter of this one file")]

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::Error;
use super::store::{NEXT_KEY_FILE, StoreError};
use crate::identity::NextKey;

/// The key after the next one, until the rotation that makes it the next one is committed.
const AFTER_FILE: &str = "next.key.new";

/// Writes the seed, 0600 and on the disk when this returns. A file left by an agent that was never
/// committed is replaced.
pub(super) fn write(folder: &Path, key: &NextKey) -> Result<(), Error> {
    write_as(folder, NEXT_KEY_FILE, key)
}

/// Writes the key after the next one, beside that.
pub(super) fn write_after(folder: &Path, key: &NextKey) -> Result<(), Error> {
    write_as(folder, AFTER_FILE, key)
}

/// The next key; none if it is not here.
pub(super) fn read(folder: &Path) -> Result<Option<NextKey>, Error> {
    read_as(folder, NEXT_KEY_FILE)
}

/// Whether a rotation has left its file.
pub(super) fn is_unsettled(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(AFTER_FILE)).is_ok()
}

/// Gives that file its name if the identity commits to the key in it; if not, the rotation never happened.
pub(super) fn settle(folder: &Path, next_digest: &[u8; 32]) -> Result<(), Error> {
    let Some(after) = read_as(folder, AFTER_FILE)? else { return Ok(()) };
    let path = folder.join(AFTER_FILE);
    let settled = if after.digest() == *next_digest {
        fs::rename(&path, folder.join(NEXT_KEY_FILE))
    } else {
        fs::remove_file(&path)
    };
    settled
        .and_then(|()| fs::File::open(folder)?.sync_all())
        .map_err(|source| Error::Store(StoreError::Io { path, source }))
}

/// Erases the next key: a recovery file has it, on its disk and proved.
pub(super) fn erase(folder: &Path) -> Result<(), Error> {
    let path = folder.join(NEXT_KEY_FILE);
    let erased = match OpenOptions::new().write(true).open(&path) {
        Ok(mut file) => file
            .write_all(&[0; 32])
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::remove_file(&path))
            .and_then(|()| fs::File::open(folder)?.sync_all()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    };
    erased.map_err(|source| Error::Store(StoreError::Io { path, source }))
}

fn read_as(folder: &Path, name: &str) -> Result<Option<NextKey>, Error> {
    let path = folder.join(name);
    match fs::read(&path).map(Zeroizing::new) {
        Ok(seed) => match seed.as_slice().try_into() {
            Ok(seed) => Ok(Some(NextKey::from_seed(seed))),
            Err(_) => Err(Error::corrupt("the file of the next key")),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Store(StoreError::Io { path, source })),
    }
}

fn write_as(folder: &Path, name: &str, key: &NextKey) -> Result<(), Error> {
    let path = folder.join(name);
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

//! The recovery file on a disk, wherever its owner keeps it: written whole or not at all, and proved.
//!
//! 1. The bytes go into `FILE.new`, readable by its owner alone, and onto the disk.
//! 2. They are read back and opened with the passphrase.
//! 3. `FILE.new` gets the name `FILE`: only where there is none, or in the place of the one that is replaced.

#![expect(clippy::disallowed_methods, reason = "the adapter of this one file")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::error::Error;
use super::store::StoreError;
use crate::entropy::os_rng;
use crate::recovery::{Contents, MAX_FILE, Passphrase, RecoveryError, RecoveryFile};

/// What every file begins with; a cut-off `FILE.new` has at least the beginning of that, or nothing.
const MAGIC: &[u8] = b"wire/recovery/";

/// How far the writing of a file has come: where a test can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// Nothing is written.
    Begun,
    /// The new bytes are on the disk under another name.
    Written,
    /// They were read back and opened.
    Proved,
    /// They have the name.
    Named,
}

/// Where a file is to be written, and by what key.
pub(super) struct Target {
    path: PathBuf,
    replaces: bool,
    key: RecoveryFile,
}

impl Target {
    /// A file that is not there yet.
    pub(super) fn new(path: &Path, passphrase: &Passphrase) -> Result<Self, Error> {
        let path = absolute(path)?;
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Error::FileExists { path: path.display().to_string() });
        }
        Ok(Self { path, replaces: false, key: RecoveryFile::lock(passphrase, &mut os_rng())? })
    }

    /// One that was opened with the same passphrase, which is kept, whatever the rules are today.
    pub(super) fn replacing(path: &Path, passphrase: &Passphrase) -> Result<(Self, Contents), Error> {
        let path = fs::canonicalize(path).map_err(|e| failed(path, e))?;
        let (key, contents) = open(&path, passphrase)?;
        Ok((Self { path, replaces: true, key }, contents))
    }

    /// Its name, for messages and for the store.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Writes the file. `at` is called on the way, and ends it where it fails.
    pub(super) fn save(
        &self,
        contents: &Contents,
        passphrase: &Passphrase,
        mut at: impl FnMut(Point) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let bytes = self.key.seal(contents, &mut os_rng())?;
        at(Point::Begun)?;
        let new = beside(&self.path);
        write_new(&new, &bytes).map_err(|e| failed(&new, e))?;
        at(Point::Written)?;
        // By the passphrase once more: that the key opens it does not say that the header leads to the key.
        let (_, again) = open(&new, passphrase)?;
        if *again.to_body() != *contents.to_body() {
            return Err(Error::Recovery(RecoveryError::Contents));
        }
        at(Point::Proved)?;
        self.give_name(&new)?;
        at(Point::Named)
    }

    fn give_name(&self, new: &Path) -> Result<(), Error> {
        let here = |e| failed(&self.path, e);
        if self.replaces {
            fs::rename(new, &self.path).map_err(here)?;
        } else {
            match renameat_with(CWD, new, CWD, &self.path, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                // A file system that cannot: an empty file takes the name first.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    let taken = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
                    taken.map_err(here)?;
                    fs::rename(new, &self.path).map_err(here)?;
                }
                Err(e) => return Err(here(e.into())),
            }
        }
        sync_folder(&self.path).map_err(here)
    }
}

/// Reads a file and opens it.
pub(super) fn open(path: &Path, passphrase: &Passphrase) -> Result<(RecoveryFile, Contents), Error> {
    let bytes = read(path).map_err(|e| failed(path, e))?;
    let key = RecoveryFile::parse(&bytes)?.unlock(passphrase)?;
    let contents = key.open(&bytes)?;
    Ok((key, contents))
}

/// Where a file lies, for the store: the process may have been started anywhere.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|e| failed(path, e))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match read(path) {
        // What a crash has left of a file like this one.
        Ok(left) if left.starts_with(MAGIC) || MAGIC.starts_with(&left) => fs::remove_file(path)?,
        Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, source: io::Error) -> Error {
    if source.kind() == ErrorKind::AlreadyExists {
        return Error::FileExists { path: path.display().to_string() };
    }
    Error::Store(StoreError::io(path, source))
}

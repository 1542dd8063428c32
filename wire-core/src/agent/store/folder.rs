//! The folder of an agent: made for its owner alone, refused where it is not, or not on a local disk.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::{DB_FILE, Fault, NEXT_KEY_FILE, StoreError};

/// The files that hold secrets; only looked at by name, since closing one's own descriptor of a database
/// would drop the locks that SQLite holds on it in the same process.
const SECRET_FILES: [&str; 4] = [DB_FILE, "agent.db-wal", "agent.db-shm", NEXT_KEY_FILE];

/// A folder that passed every check.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes what is missing of `dir` and `dir/run` with mode 0700 and checks what is there.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        make(dir)?;
        let path = fs::canonicalize(dir).map_err(|e| StoreError::io(dir, e))?;
        super::network::refuse(&path)?;
        make(&path.join("run"))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }

    /// Where live processes leave their lock files and sockets.
    pub(super) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    pub(super) fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(look(&self.file(name))?.is_some())
    }

    /// Refuses a database or key that others could read, write or have put there.
    pub(super) fn check_files(&self) -> Result<(), StoreError> {
        for name in SECRET_FILES {
            let path = self.file(name);
            if let Some(meta) = look(&path)? {
                check(&path, &meta, meta.is_file())?;
            }
        }
        Ok(())
    }

    /// Opens a file of the folder, never through a symbolic link; a new one gets mode 0600.
    pub(super) fn open_file(&self, name: impl AsRef<OsStr>, how: OFlags) -> Result<File, StoreError> {
        let path = self.file(name);
        let flags = how | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(File::from(fd)),
            Err(rustix::io::Errno::LOOP) => Err(StoreError::Unsafe { path, fault: Fault::Symlink }),
            Err(e) => Err(StoreError::io(&path, e.into())),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&path, e)),
            _ => Ok(()),
        }
    }

    pub(super) fn sync_file(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        self.open_file(name, OFlags::RDONLY)?.sync_all().map_err(|e| StoreError::io(&path, e))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let opened = File::open(&self.path).and_then(|folder| folder.sync_all());
        opened.map_err(|e| StoreError::io(&self.path, e))
    }
}

fn make(dir: &Path) -> Result<(), StoreError> {
    if look(dir)?.is_none() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| StoreError::io(dir, e))?;
    }
    match look(dir)? {
        Some(meta) => check(dir, &meta, meta.is_dir()),
        None => Err(StoreError::io(dir, io::ErrorKind::NotFound.into())),
    }
}

/// What lies at `path` itself, links not followed.
fn look(path: &Path) -> Result<Option<Metadata>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(path, e)),
    }
}

fn check(path: &Path, meta: &Metadata, right_kind: bool) -> Result<(), StoreError> {
    let mode = meta.mode() & 0o7777;
    let fault = if meta.is_symlink() {
        Fault::Symlink
    } else if !right_kind {
        Fault::Kind
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        Fault::Owner
    } else if meta.is_file() && meta.nlink() > 1 {
        Fault::Links
    } else if mode & 0o077 != 0 {
        Fault::Mode(mode)
    } else {
        return Ok(());
    };
    Err(StoreError::Unsafe { path: path.to_owned(), fault })
}

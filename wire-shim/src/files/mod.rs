//! Moves files: what the shim's programs do with it is in [`entry`](crate::entry). The other end of a copy
//! unpacks what a container has packed with the same care.
//!
//! ```
//! use wire_shim::files::{Caps, archive, extract};
//! let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! std::fs::write(from.path().join("a"), "hello")?;
//! let caps = Caps { bytes: 1 << 20, entries: 100 };
//! let mut packed = Vec::new();
//! archive(from.path(), caps, None, &mut packed).unwrap();
//! extract(to.path(), caps, 0o755, &mut packed.as_slice()).unwrap();
//! assert_eq!(std::fs::read(to.path().join("a"))?, b"hello");
//! # Ok::<_, std::io::Error>(())
//! ```

mod archive;
mod extract;
mod unfinished;
mod walk;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::entry::{Entry, Kind};
use crate::frame::encode;
use crate::protocol::ArgBytes;
use rustix::fs::{CWD, Mode, OFlags, openat};

use self::unfinished::Unfinished;

pub use self::archive::archive;
pub use self::extract::extract;

/// What may be moved at most.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// More than was allowed.
    #[error("more {0} than are allowed")]
    Limit(&'static str),
    /// Nothing that is ever unpacked.
    #[error("the archive holds {0}")]
    Refused(&'static str),
    /// What has the name is nothing that is ever replaced.
    #[error("{0} has that name, and is not replaced")]
    Taken(&'static str),
    /// One entry of an archive.
    #[error("{name}: {why}")]
    Entry {
        /// The entry's name, as far as it is text.
        name: String,
        /// What is wrong with it.
        why: Box<Self>,
    },
}

impl FileError {
    /// What went wrong, without where.
    pub fn root(&self) -> &Self {
        if let Self::Entry { why, .. } = self { why.root() } else { self }
    }

    /// The same, to be taken apart.
    pub fn into_root(self) -> Self {
        if let Self::Entry { why, .. } = self { why.into_root() } else { self }
    }

    /// Of this entry.
    fn of(self, name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name.get(..NAME).unwrap_or(name)).into_owned();
        Self::Entry { name, why: Box::new(self) }
    }
}

/// Bytes of a name that are told.
const NAME: usize = 200;

impl From<io::ErrorKind> for FileError {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Io(kind.into())
    }
}

impl From<rustix::io::Errno> for FileError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Gives a file's bytes, from an offset on.
pub fn read(path: &Path, offset: u64, bytes: u64, out: &mut impl Write) -> Result<(), FileError> {
    let mut file = open(path)?;
    if offset > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    io::copy(&mut file.take(bytes), out)?;
    Ok(())
}

/// Writes a file with these bytes, whole or not at all: it takes its name when it is complete. A link of that name is
/// replaced itself, what it points to stays; a folder, a device, a pipe or a socket is never replaced.
pub fn write(path: &Path, mode: u32, from: &mut impl Read) -> Result<(), FileError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        // The top, or a path that ends in `..`.
        return Err(io::ErrorKind::IsADirectory.into());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = openat(CWD, folder, OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut unfinished = Unfinished::new(folder.as_fd(), name)?;
    io::copy(from, unfinished.file())?;
    unfinished.file().set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
    unfinished.finish()
}

/// Says what is at a path.
pub fn stat(path: &Path, out: &mut impl Write) -> Result<(), FileError> {
    say(path, out)
}

/// Says what is in a folder, in no order.
pub fn list(path: &Path, out: &mut impl Write) -> Result<(), FileError> {
    for entry in fs::read_dir(path)? {
        match say(&entry?.path(), out) {
            // Gone since it was listed.
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn say(path: &Path, out: &mut impl Write) -> Result<(), FileError> {
    let about = path.symlink_metadata()?;
    let kind = match about.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        _ => Kind::Other,
    };
    let bytes = |path: PathBuf| ArgBytes(path.into_os_string().as_bytes().to_vec());
    let target = if kind == Kind::Link { Some(bytes(fs::read_link(path)?)) } else { None };
    let entry = Entry {
        name: ArgBytes(path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec()),
        kind,
        size: about.len(),
        mode: about.mode() & 0o7777,
        modified_ms: about.mtime().saturating_mul(1000).saturating_add(about.mtime_nsec() / 1_000_000),
        user: about.uid(),
        group: about.gid(),
        target,
    };
    out.write_all(&encode(&entry).map_err(io::Error::other)?)?;
    Ok(())
}

/// Opens a file to read. What is no file would wait for somebody, or never end.
fn open(path: &Path) -> Result<File, FileError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file").into());
    }
    Ok(file)
}

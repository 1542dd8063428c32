//! A file that takes its name only when it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::FileError;

/// Until it has its name it has none, so that nothing is left of it if its writer is killed; where the file system
/// knows no such files, it has another one.
pub(super) struct Unfinished<'a> {
    folder: BorrowedFd<'a>,
    name: &'a OsStr,
    file: File,
    meanwhile: Option<OsString>,
}

impl<'a> Unfinished<'a> {
    /// One that comes to have this name in this folder.
    pub(super) fn new(folder: BorrowedFd<'a>, name: &'a OsStr) -> Result<Self, FileError> {
        replaceable(folder, name)?;
        let (file, meanwhile) = match unnamed(folder) {
            Some(file) => (file, None),
            None => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
                let (file, meanwhile) =
                    beside(name, |meanwhile| openat(folder, meanwhile, flags, Mode::RUSR | Mode::WUSR))?;
                (file, Some(meanwhile))
            }
        };
        Ok(Self { folder, name, file: file.into(), meanwhile })
    }

    pub(super) const fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its name, in place of what has it. A link of that name is replaced itself.
    pub(super) fn finish(mut self) -> Result<(), FileError> {
        // Something else may have come to have it meanwhile.
        replaceable(self.folder, self.name)?;
        if self.meanwhile.is_none() {
            let named =
                |name: &OsStr| linkat(CWD, at(&self.file), self.folder, name, AtFlags::SYMLINK_FOLLOW);
            match named(self.name) {
                // Only a name replaces another one.
                Err(Errno::EXIST) => self.meanwhile = Some(beside(self.name, named)?.1),
                done => return Ok(done?),
            }
        }
        if let Some(meanwhile) = &self.meanwhile {
            renameat(self.folder, meanwhile, self.folder, self.name)?;
            self.meanwhile = None;
        }
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(meanwhile) = self.meanwhile.take() {
            _ = unlinkat(self.folder, meanwhile, AtFlags::empty());
        }
    }
}

/// A new file of the folder's file system without a name, if it can have one later.
fn unnamed(folder: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(folder, ".", flags, Mode::RUSR | Mode::WUSR).ok()?;
    fs::symlink_metadata(at(&file)).is_ok().then_some(file)
}

fn at(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Does it with a name that nothing has yet. None is used twice, but by a process that had the same number and was
/// killed.
fn beside<T>(name: &OsStr, make: impl Fn(&OsStr) -> Result<T, Errno>) -> Result<(T, OsString), FileError> {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let bytes = name.as_bytes();
    loop {
        let mut meanwhile = OsString::from(".");
        meanwhile.push(OsStr::from_bytes(bytes.get(..bytes.len().min(200)).unwrap_or_default()));
        meanwhile.push(format!(".{}.{}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed)));
        match make(&meanwhile) {
            Err(Errno::EXIST) => {}
            made => return Ok((made?, meanwhile)),
        }
    }
}

/// A folder, a device, a pipe and a socket never are.
pub(super) fn replaceable(folder: BorrowedFd<'_>, name: &OsStr) -> Result<(), FileError> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile | FileType::Symlink => Ok(()),
            FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
            FileType::Fifo => Err(FileError::Taken("a pipe")),
            FileType::Socket => Err(FileError::Taken("a socket")),
            FileType::CharacterDevice | FileType::BlockDevice => Err(FileError::Taken("a device")),
            FileType::Unknown => Err(FileError::Taken("something that is no file")),
        },
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_none_before() {
        let folder = tempfile::tempdir().unwrap();
        let top = File::open(folder.path()).unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let path = folder.path().join("a");
        for text in ["one", "two"] {
            let mut unfinished = Unfinished::new(top.as_fd(), OsStr::new("a")).unwrap();
            let (before, inode) = (names(), fs::metadata(&path).map(|about| about.ino()).ok());
            unfinished.file().write_all(text.as_bytes()).unwrap();
            assert_eq!(unfinished.meanwhile, None, "the tests' file system has files without names");
            assert_eq!((names(), fs::metadata(&path).map(|about| about.ino()).ok()), (before, inode));
            unfinished.finish().unwrap();
            assert_eq!((names(), fs::read_to_string(&path).unwrap()), (1, text.to_owned()));
        }
    }

    #[test]
    fn where_files_need_a_name_it_has_another_one_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let top = File::open(folder.path()).unwrap();
        let (file, meanwhile) = beside(OsStr::new("a"), |meanwhile| {
            openat(&top, meanwhile, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, Mode::RUSR)
        })
        .unwrap();
        let unfinished = |file: &OwnedFd| Unfinished {
            folder: top.as_fd(),
            name: OsStr::new("a"),
            file: file.try_clone().unwrap().into(),
            meanwhile: Some(meanwhile.clone()),
        };
        assert!(folder.path().join(&meanwhile).exists());
        unfinished(&file).finish().unwrap();
        assert!(folder.path().join("a").exists() && !folder.path().join(&meanwhile).exists());

        fs::rename(folder.path().join("a"), folder.path().join(&meanwhile)).unwrap();
        drop(unfinished(&file));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

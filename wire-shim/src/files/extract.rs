//! Unpacks an archive that may be anybody's into a folder, and nowhere else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, linkat, openat, readlinkat,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use tar::{Archive, EntryType, Header, PaxExtensions};

use super::unfinished::{Unfinished, replaceable};
use super::walk::{components, folder, stays_inside};
use super::{Caps, FileError};

/// Bytes of a name or of other facts about an entry.
const ABOUT: u64 = 64 << 10;

/// Bytes of an archive that one entry takes beyond its content: a header; a name and a link's target of the
/// longest path, each with a header and padding; the padding of the content.
const FRAME: u64 = 512 + 2 * (512 + 4096 + 512) + 512;

/// Unpacks `archive` into the folder at `path`, which is made if it is missing. Owners are not restored, nor
/// modes beyond these bits, at most nine; what has a taken name replaces it, a link itself
/// too, but never a folder, a device, a pipe or a socket, and a file only when it is whole. A folder is its
/// owner's to write to until all is unpacked, whatever mode it comes to have.
pub fn extract(path: &Path, caps: Caps, modes: u32, archive: &mut impl Read) -> Result<(), FileError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // The path itself is the caller's word: links in it are followed.
    let top = openat(CWD, path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let facts = Facts::default();
    let mut target = Target { top, caps, modes: modes & 0o777, facts, folders: BTreeMap::new() };
    // What is no content counts little, but it counts.
    let most = caps.bytes.saturating_add(caps.entries.saturating_mul(FRAME)).saturating_add(1 << 20);
    let mut source = Source { read: archive.take(most), ended: false };
    let unpacked = target.unpack(Archive::new(&mut source)).and_then(|()| source.is_whole());
    let closed = target.close_folders();
    unpacked.and(closed)
}

/// An archive says where its end is. One that just stops was cut off there, or is none.
struct Source<R> {
    read: io::Take<R>,
    ended: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.read.read(buffer)?;
        self.ended |= n == 0 && !buffer.is_empty();
        Ok(n)
    }
}

impl<R> Source<R> {
    fn is_whole(&self) -> Result<(), FileError> {
        match (self.ended, self.read.limit()) {
            (false, _) => Ok(()),
            (true, 0) => Err(FileError::Limit("bytes")),
            (true, _) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive has no end: it was cut off, or is none",
            )
            .into()),
        }
    }
}

struct Target {
    top: OwnedFd,
    caps: Caps,
    modes: u32,
    facts: Facts,
    /// The modes that folders come to have.
    folders: BTreeMap<Vec<Vec<u8>>, Mode>,
}

/// What the entries before one say about it.
#[derive(Default)]
struct Facts {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Target {
    fn unpack(&mut self, mut source: Archive<impl Read>) -> Result<(), FileError> {
        for entry in source.entries()?.raw(true) {
            let mut entry = entry?;
            let header = entry.header().clone();
            self.entry(&header, entry.size(), &mut entry)?;
        }
        Ok(())
    }

    /// Gives folders their modes, those within others first.
    fn close_folders(&self) -> Result<(), FileError> {
        for (parts, mode) in self.folders.iter().rev() {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            fchmod(&folder(self.top.as_fd(), &parts)?, *mode)?;
        }
        Ok(())
    }

    fn entry(&mut self, header: &Header, size: u64, data: &mut impl Read) -> Result<(), FileError> {
        let kind = header.entry_type();
        if kind.is_gnu_longname() {
            self.facts.name = Some(about(size, data)?);
            return Ok(());
        }
        if kind.is_gnu_longlink() {
            self.facts.link = Some(about(size, data)?);
            return Ok(());
        }
        if kind.is_pax_local_extensions() {
            return self.pax(&about(size, data)?);
        }
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        // What is said about an entry is none.
        self.caps.entries = self.caps.entries.checked_sub(1).ok_or(FileError::Limit("entries"))?;
        let facts = std::mem::take(&mut self.facts);
        let name = facts.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = facts.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        self.put(kind, header, &name, &link.unwrap_or_default(), size, data).map_err(|error| error.of(&name))
    }

    fn pax(&mut self, records: &[u8]) -> Result<(), FileError> {
        for record in PaxExtensions::new(records) {
            let record = record?;
            match record.key_bytes() {
                b"path" => self.facts.name = Some(record.value_bytes().to_vec()),
                b"linkpath" => self.facts.link = Some(record.value_bytes().to_vec()),
                // The length would be another one than in the header.
                b"size" => return Err(FileError::Refused("a file of more than 8 GiB")),
                key if key.starts_with(b"GNU.sparse") => return Err(FileError::Refused("a sparse file")),
                _ => {}
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        kind: EntryType,
        header: &Header,
        name: &[u8],
        link: &[u8],
        size: u64,
        data: &mut impl Read,
    ) -> Result<(), FileError> {
        let parts = components(name)?;
        if kind.is_dir() {
            let made = folder(self.top.as_fd(), &parts)?;
            if !parts.is_empty() {
                let mode = mode(header, 0o755, self.modes);
                fchmod(&made, mode | Mode::RWXU)?;
                self.folders.insert(parts.iter().map(|part| part.to_vec()).collect(), mode);
            }
            return Ok(());
        }
        let Some((last, parents)) = parts.split_last() else {
            return Err(FileError::Refused("a file without a name"));
        };
        if kind.is_file() || kind.is_contiguous() {
            self.caps.bytes = self.caps.bytes.checked_sub(size).ok_or(FileError::Limit("bytes"))?;
            let parent = folder(self.top.as_fd(), parents)?;
            write(&parent, last, mode(header, 0o644, self.modes), header, size, data)
        } else if kind.is_symlink() {
            self.link(link, parents, last)
        } else if kind.is_hard_link() {
            let to = components(link)?;
            let Some((to_last, to_parents)) = to.split_last() else {
                return Err(FileError::Refused("a link to nothing"));
            };
            let to = folder(self.top.as_fd(), to_parents)?;
            let about = statat(&to, *to_last, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(about.st_mode) {
                FileType::RegularFile => {
                    let parent = folder(self.top.as_fd(), parents)?;
                    replace(&parent, last, || linkat(&to, *to_last, &parent, *last, AtFlags::empty()))
                }
                // Under another name it may lead elsewhere.
                FileType::Symlink => {
                    self.link(readlinkat(&to, *to_last, Vec::new())?.as_bytes(), parents, last)
                }
                FileType::Directory
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => Err(FileError::Refused("another name of what is no file or link")),
            }
        } else {
            Err(FileError::Refused("something that is no file, folder or link"))
        }
    }

    fn link(&self, to: &[u8], parents: &[&[u8]], last: &[u8]) -> Result<(), FileError> {
        if !stays_inside(to, parents.len()) {
            return Err(FileError::Refused("a link that leads out of the folder"));
        }
        let parent = folder(self.top.as_fd(), parents)?;
        replace(&parent, last, || symlinkat(to, &parent, last))
    }
}

fn write(
    parent: &OwnedFd,
    name: &[u8],
    mode: Mode,
    header: &Header,
    size: u64,
    data: &mut impl Read,
) -> Result<(), FileError> {
    let mut unfinished = Unfinished::new(parent.as_fd(), OsStr::from_bytes(name))?;
    let file = unfinished.file();
    if io::copy(data, file)? != size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    fchmod(&*file, mode)?;
    let seconds = header.mtime().ok().and_then(|at| i64::try_from(at).ok()).unwrap_or(0);
    let at = Timespec { tv_sec: seconds, tv_nsec: 0 };
    futimens(&*file, &Timestamps { last_access: at, last_modification: at })?;
    unfinished.finish()
}

/// Makes something under a name, in place of what has it.
fn replace(
    parent: &OwnedFd,
    name: &[u8],
    mut make: impl FnMut() -> Result<(), Errno>,
) -> Result<(), FileError> {
    match make() {
        Err(Errno::EXIST) => {
            replaceable(parent.as_fd(), OsStr::from_bytes(name))?;
            unlinkat(parent, name, AtFlags::empty())?;
            Ok(make()?)
        }
        other => Ok(other?),
    }
}

fn mode(header: &Header, otherwise: u32, modes: u32) -> Mode {
    Mode::from_raw_mode(header.mode().unwrap_or(otherwise) & modes)
}

fn about(size: u64, data: &mut impl Read) -> Result<Vec<u8>, FileError> {
    if size > ABOUT {
        return Err(FileError::Limit("bytes in a name"));
    }
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes)?;
    // GNU's names end with a zero byte.
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

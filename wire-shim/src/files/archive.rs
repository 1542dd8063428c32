//! Packs a file or a folder. Links stay links; sockets, devices and pipes are left out.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::{Caps, FileError, open};

/// Writes what is at `path`: a file under its own name, a folder's content with names below it. All of it belongs
/// to `owner`, by user and group, or to whom it belongs here.
pub fn archive(
    path: &Path,
    caps: Caps,
    owner: Option<(u32, u32)>,
    out: &mut impl Write,
) -> Result<(), FileError> {
    let mut packer = Packer { builder: Builder::new(out), caps, owner };
    // The path itself is the caller's word: a link there is followed.
    if fs::metadata(path)?.is_dir() {
        packer.folders(path)?;
    } else {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        packer.file(path, Path::new(name))?;
    }
    packer.builder.finish()?;
    Ok(())
}

struct Packer<W: Write> {
    builder: Builder<W>,
    caps: Caps,
    owner: Option<(u32, u32)>,
}

impl<W: Write> Packer<W> {
    /// A folder's content, folder by folder. What is gone meanwhile is left out.
    fn folders(&mut self, top: &Path) -> Result<(), FileError> {
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            let Some(entries) = there(fs::read_dir(top.join(&folder)))? else { continue };
            for entry in entries {
                let name = folder.join(entry?.file_name());
                let path = top.join(&name);
                let Some(about) = there(path.symlink_metadata())? else { continue };
                if about.is_dir() {
                    self.header(&about, EntryType::Directory, 0, &name, io::empty())?;
                    waiting.push(name);
                } else if about.is_symlink() {
                    self.link(&about, &path, &name)?;
                } else if about.is_file() {
                    self.file(&path, &name)?;
                }
            }
        }
        Ok(())
    }

    fn link(&mut self, about: &fs::Metadata, path: &Path, name: &Path) -> Result<(), FileError> {
        let Some(target) = there(fs::read_link(path))? else { return Ok(()) };
        self.count(0)?;
        let mut header = self.about(about, EntryType::Symlink, 0);
        self.builder.append_link(&mut header, name, target)?;
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &Path) -> Result<(), FileError> {
        let file = match open(path) {
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let about = file.metadata()?;
        // What grows or shrinks meanwhile has the length that was said first.
        let data = file.chain(io::repeat(0)).take(about.len());
        self.header(&about, EntryType::Regular, about.len(), name, data)
    }

    fn header(
        &mut self,
        about: &fs::Metadata,
        kind: EntryType,
        size: u64,
        name: &Path,
        data: impl Read,
    ) -> Result<(), FileError> {
        self.count(size)?;
        let mut header = self.about(about, kind, size);
        self.builder.append_data(&mut header, name, data)?;
        Ok(())
    }

    fn about(&self, about: &fs::Metadata, kind: EntryType, size: u64) -> Header {
        let (uid, gid) = self.owner.unwrap_or((about.uid(), about.gid()));
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(about.mode() & 0o777);
        header.set_uid(u64::from(uid));
        header.set_gid(u64::from(gid));
        header.set_mtime(u64::try_from(about.mtime()).unwrap_or(0));
        header
    }

    fn count(&mut self, size: u64) -> Result<(), FileError> {
        self.caps.entries = self.caps.entries.checked_sub(1).ok_or(FileError::Limit("entries"))?;
        self.caps.bytes = self.caps.bytes.checked_sub(size).ok_or(FileError::Limit("bytes"))?;
        Ok(())
    }
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

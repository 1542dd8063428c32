//! The other end of a copy: files and folders of this machine.
//!
//! What comes out of a container is a stranger's word, so it is unpacked by the code that unpacks archives in
//! a container: nothing leaves its folder, no link leads out, nobody else may write what was written.

#![expect(
    clippy::disallowed_methods,
    reason = "an adapter: files are read and written by a thread of the pool"
)]

use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::io::{StreamReader, SyncIoBridge};
use wire_shim::files;

use super::fault;
use super::files::{Caps, FileError, FileStream};
use crate::spawn::spec::User;

/// Bytes of an archive that are handed on at once.
const PART: usize = 64 << 10;
/// What may be left of a stranger's modes.
const MODES: u32 = 0o755;

impl FileStream {
    /// Unpacks an archive into a folder of this machine, which is made if it is missing.
    pub async fn unpack(self, folder: impl Into<PathBuf>, caps: Caps) -> Result<(), FileError> {
        let folder = folder.into();
        let mut archive = SyncIoBridge::new(self);
        joined(spawn_blocking(move || {
            let bounds = files::Caps { bytes: caps.bytes, entries: caps.entries };
            files::extract(&folder, bounds, MODES, &mut archive)?;
            // What comes after the archive's end says whether all went well.
            io::copy(&mut archive, &mut io::sink())?;
            Ok(())
        }))
        .await
    }

    /// Writes a file of this machine, whole or not at all. Gives its length.
    pub async fn save(self, path: impl Into<PathBuf>, mode: u32) -> Result<u64, FileError> {
        let path = path.into();
        let mut bytes = Counted { read: SyncIoBridge::new(self), bytes: 0 };
        joined(spawn_blocking(move || {
            files::write(&path, mode & MODES, &mut bytes)?;
            Ok(bytes.bytes)
        }))
        .await
    }
}

/// A folder's content, or a file, of this machine as an archive for [`Sandbox::put`](super::Sandbox::put). It
/// fails, and does not just end, where something cannot be read.
pub fn pack(path: impl Into<PathBuf>, caps: Caps) -> impl AsyncRead + Send + Unpin + 'static {
    packed(path.into(), caps, None, ())
}

/// Anybody's archive, unpacked by the same code and packed anew: it holds files, folders and links that stay
/// inside, all of this user. Takes the room of its content in the folder for temporary files meanwhile.
pub(super) async fn looked_at(
    archive: impl AsyncRead + Send + 'static,
    caps: Caps,
    user: User,
) -> Result<impl AsyncRead + Send + Unpin + 'static, FileError> {
    let folder = tempfile::tempdir()?;
    FileStream::new(archive).unpack(folder.path(), caps).await?;
    Ok(packed(folder.path().to_owned(), caps, Some((user.uid, user.gid)), folder))
}

/// Lets go of `meanwhile` at the end.
fn packed(
    path: PathBuf,
    caps: Caps,
    owner: Option<(u32, u32)>,
    meanwhile: impl Send + 'static,
) -> impl AsyncRead + Send + Unpin + 'static {
    let (parts, taken) = mpsc::channel(4);
    spawn_blocking(move || {
        let bounds = files::Caps { bytes: caps.bytes, entries: caps.entries };
        let mut to = BufWriter::with_capacity(PART, Parts(parts.clone()));
        let failed = |error| io::Error::other(FileError::from(error));
        let packed = files::archive(&path, bounds, owner, &mut to).map_err(failed);
        if let Err(error) = packed.and_then(|()| to.flush()) {
            drop(parts.blocking_send(Err(error)));
        }
        drop(meanwhile);
    });
    StreamReader::new(Box::pin(unfold(taken, |mut taken| async { Some((taken.recv().await?, taken)) })))
}

/// Where an archive is written to.
struct Parts(mpsc::Sender<io::Result<Bytes>>);

impl Write for Parts {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(part)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted<R> {
    read: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.read.read(buffer)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

async fn joined<T>(work: JoinHandle<Result<T, files::FileError>>) -> Result<T, FileError> {
    match work.await {
        Ok(done) => Ok(done?),
        Err(error) => Err(FileError::Failed(error.to_string())),
    }
}

impl From<io::Error> for FileError {
    /// What a [`FileStream`] failed with, it still is.
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let (kind, words) = (error.kind(), |error: &io::Error| fault::plain(&error.to_string()));
        if kind == Kind::NotFound {
            Self::NotFound(words(&error))
        } else if matches!(kind, Kind::PermissionDenied | Kind::ReadOnlyFilesystem) {
            Self::Denied(words(&error))
        } else if matches!(kind, Kind::StorageFull | Kind::QuotaExceeded) {
            Self::FullHere(words(&error))
        } else {
            error.downcast::<Self>().unwrap_or_else(|error| Self::Failed(words(&error)))
        }
    }
}

impl From<files::FileError> for FileError {
    fn from(error: files::FileError) -> Self {
        match error {
            files::FileError::Io(error) => error.into(),
            files::FileError::Limit(_) => Self::Limit(error.to_string()),
            files::FileError::Refused(_) | files::FileError::Taken(_) => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_system_says_is_told_apart_and_fit_to_be_printed() {
        use io::ErrorKind as Kind;
        let said = |kind: Kind| FileError::from(io::Error::new(kind, "a\u{1b}[2Jb"));
        assert!(matches!(said(Kind::NotFound), FileError::NotFound(words) if words == "a?[2Jb"));
        for kind in [Kind::PermissionDenied, Kind::ReadOnlyFilesystem] {
            assert!(matches!(said(kind), FileError::Denied(words) if words == "a?[2Jb"), "{kind}");
        }
        for kind in [Kind::StorageFull, Kind::QuotaExceeded] {
            assert!(matches!(said(kind), FileError::FullHere(words) if words == "a?[2Jb"), "{kind}");
        }
        assert!(matches!(said(Kind::Other), FileError::Failed(words) if words == "a?[2Jb"));
        let still = FileError::from(io::Error::other(FileError::Limit("x".to_owned())));
        assert!(matches!(still, FileError::Limit(_)));
    }
}

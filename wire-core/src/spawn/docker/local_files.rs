//! The other end of a copy: files and folders of this machine.
//!
//! What comes out of a container is a stranger's word, so it is unpacked by the code that unpacks archives in
//! a container: nothing leaves its folder, no link leads out, nobody else may write what was written.

#![expect(
    clippy::disallowed_methods,
    reason = "an adapter: files are read and written by a thread of the pool"
)]

use std::convert::Infallible;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
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
    /// Unpacks an archive into a folder of this machine, which is made if it is missing. When the future is
    /// dropped no more is read; what was unpacked before stays.
    pub async fn unpack(self, folder: impl Into<PathBuf>, caps: Caps) -> Result<(), FileError> {
        let folder = folder.into();
        let shown = here(&folder);
        self.unpack_as(&shown, folder, caps).await
    }

    async fn unpack_as(self, shown: &str, folder: PathBuf, caps: Caps) -> Result<(), FileError> {
        self.in_thread(shown, folder, move |folder, mut archive| {
            files::extract(folder, bounds(caps), MODES, &mut archive)?;
            // What comes after the archive's end says whether all went well.
            io::copy(&mut archive, &mut io::sink())?;
            Ok(())
        })
        .await
    }

    /// Writes a file of this machine, whole or not at all, also when the future is dropped. Gives its length, which
    /// is `most` at most.
    pub async fn save(self, path: impl Into<PathBuf>, mode: u32, most: u64) -> Result<u64, FileError> {
        let path = path.into();
        self.in_thread(&here(&path), path, move |path, bytes| {
            let mut counted = Counted { read: bytes, bytes: 0, most };
            files::write(path, mode & MODES, &mut counted)?;
            Ok(counted.bytes)
        })
        .await
    }

    async fn in_thread<T: Send + 'static>(
        self,
        shown: &str,
        path: PathBuf,
        work: impl FnOnce(&Path, &mut dyn Read) -> Result<T, files::FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let (_wanted, unwanted) = oneshot::channel();
        let mut bytes = SyncIoBridge::new(Wanted { read: self, unwanted: Some(unwanted) });
        let working = spawn_blocking(move || work(&path, &mut bytes)).await;
        let done = working.map_err(|error| FileError::Failed(error.to_string()))?;
        done.map_err(|error| wrong(shown, error))
    }
}

/// What a thread reads, until nobody waits for the thread any more.
struct Wanted<R> {
    read: R,
    unwanted: Option<oneshot::Receiver<Infallible>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Wanted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gone = |unwanted: &mut oneshot::Receiver<_>| Pin::new(unwanted).poll(cx).is_ready();
        if self.unwanted.as_mut().is_none_or(gone) {
            self.unwanted = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

const fn bounds(caps: Caps) -> files::Caps {
    files::Caps { bytes: caps.bytes, entries: caps.entries }
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
    let unpacked = folder.path().to_owned();
    FileStream::new(archive).unpack_as("the archive", unpacked, caps).await?;
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
        let mut to = BufWriter::with_capacity(PART, Parts(parts.clone()));
        let failed = |error| io::Error::other(wrong(&here(&path), error));
        let packed = files::archive(&path, bounds(caps), owner, &mut to).map_err(failed);
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

/// What is read, of which there may be so much.
struct Counted<R> {
    read: R,
    bytes: u64,
    most: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.read.read(buffer)?;
        self.bytes += n as u64;
        if self.bytes > self.most {
            return Err(io::Error::other(FileError::Limit(format!("more than {} bytes", self.most))));
        }
        Ok(n)
    }
}

impl From<io::Error> for FileError {
    /// What a [`FileStream`] failed with, it still is.
    fn from(error: io::Error) -> Self {
        of_system(error, str::to_owned)
    }
}

/// A path of this machine, in words.
fn here(path: &Path) -> String {
    format!("{} on this machine", path.display())
}

/// What went wrong with what is shown so.
fn wrong(shown: &str, error: files::FileError) -> FileError {
    let words = fault::plain(&format!("{shown}: {error}"));
    match error.into_root() {
        files::FileError::Io(error) => of_system(error, |_| words.clone()),
        files::FileError::Limit(_) => FileError::Limit(words),
        files::FileError::Refused(_) | files::FileError::Taken(_) | files::FileError::Entry { .. } => {
            FileError::Refused(words)
        }
    }
}

fn of_system(error: io::Error, words: impl Fn(&str) -> String) -> FileError {
    use io::ErrorKind as Kind;
    let (kind, words) = (error.kind(), |error: &io::Error| fault::plain(&words(&error.to_string())));
    if kind == Kind::NotFound {
        FileError::NotFound(words(&error))
    } else if matches!(kind, Kind::PermissionDenied | Kind::ReadOnlyFilesystem) {
        FileError::DeniedHere(words(&error))
    } else if matches!(kind, Kind::StorageFull | Kind::QuotaExceeded) {
        FileError::FullHere(words(&error))
    } else {
        error.downcast().unwrap_or_else(|error| FileError::Failed(words(&error)))
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
            assert!(matches!(said(kind), FileError::DeniedHere(words) if words == "a?[2Jb"), "{kind}");
        }
        for kind in [Kind::StorageFull, Kind::QuotaExceeded] {
            assert!(matches!(said(kind), FileError::FullHere(words) if words == "a?[2Jb"), "{kind}");
        }
        assert!(matches!(said(Kind::Other), FileError::Failed(words) if words == "a?[2Jb"));
        let still = FileError::from(io::Error::other(FileError::Limit("x".to_owned())));
        assert!(matches!(still, FileError::Limit(_)));
    }

    #[tokio::test]
    async fn a_file_is_saved_whole_and_no_longer_than_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let save = |most| FileStream::new(&b"hello"[..]).save(&path, 0o777, most);
        assert_eq!(save(5).await.unwrap(), 5);
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
        assert!(matches!(save(4).await, Err(FileError::Limit(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"hello", "the one that was there");
        let nowhere = FileStream::new(&b""[..]).save(folder.path().join("no/file"), 0o644, 1).await;
        assert!(
            matches!(nowhere, Err(FileError::NotFound(words)) if words.contains("no/file on this machine"))
        );
    }

    /// Reads for ever, and says when nobody reads any more.
    struct Endless {
        begun: Option<oneshot::Sender<()>>,
        _left: mpsc::Sender<()>,
    }

    impl AsyncRead for Endless {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.begun.take() {
                Some(begun) => {
                    buffer.put_slice(b"beginning");
                    _ = begun.send(());
                    Poll::Ready(Ok(()))
                }
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn who_does_not_wait_any_more_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, has_begun) = oneshot::channel();
        let (left, mut all_left) = mpsc::channel(1);
        let bytes = FileStream::new(Endless { begun: Some(begun), _left: left });
        let saving = bytes.save(folder.path().join("file"), 0o644, u64::MAX);
        tokio::select! {
            _ = saving => panic!("it has no end"),
            begun = has_begun => begun.unwrap(),
        }
        // The thread has let go of the source, and so of the file.
        assert_eq!(all_left.recv().await, None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

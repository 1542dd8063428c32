//! `wire cp`: files and folders between this machine and a container.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use wire_core::spawn::docker::{Caps, EntryKind, FileError, FileStream, Sandbox, pack};

use super::{engine, find};
use crate::cli::{CpArgs, Place};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::escape;

/// How much of an archive is written at once.
const PART: usize = 64 << 10;

#[derive(Serialize)]
struct CopiedDoc {
    from: String,
    to: String,
    /// Of a file. What is in a folder is not counted.
    bytes: Option<u64>,
}

impl CopiedDoc {
    fn line(&self) -> String {
        let bytes = self.bytes.map(|bytes| format!("  {bytes} bytes")).unwrap_or_default();
        format!("✓ {}  to {}{bytes}", escape(&self.from), escape(&self.to))
    }
}

pub(crate) async fn run(ctx: &Ctx, args: &CpArgs) -> Result<u8, Failure> {
    let caps = Caps { bytes: args.most, ..Caps::default() };
    ctx.stop.or(copy(ctx, args, caps)).await
}

async fn copy(ctx: &Ctx, args: &CpArgs, caps: Caps) -> Result<u8, Failure> {
    let doc = match (&args.from, &args.to) {
        (Place::Container { id, path }, to) if !matches!(to, Place::Container { .. }) => {
            let sandbox = find(&engine(ctx).await?, id).await?;
            match to {
                Place::Here(to) => Some(out_of(&sandbox, path, to, caps).await?),
                _ if ctx.out.is_json() => {
                    return Err(Failure::usage("an archive is no document").hint("leave out --json"));
                }
                _ => {
                    match to_stdout(sandbox.get(path, caps).await?).await {
                        // What was not taken is no archive.
                        Err(Failure::PipeClosed) => return Ok(exit::BROKEN_PIPE),
                        written => written?,
                    }
                    None
                }
            }
        }
        (from, Place::Container { id, path }) if !matches!(from, Place::Container { .. }) => {
            let sandbox = find(&engine(ctx).await?, id).await?;
            Some(match from {
                Place::Here(from) => into(&sandbox, from, path, caps).await?,
                _ => {
                    sandbox.put(path, tokio::io::stdin(), caps).await?;
                    CopiedDoc { from: "-".to_owned(), to: path.clone(), bytes: None }
                }
            })
        }
        _ => {
            return Err(Failure::usage("one side must be in a container, and one must not")
                .hint("wire cp ID:PATH DST, or: wire cp SRC ID:PATH"));
        }
    };
    if let Some(doc) = doc {
        ctx.out.show(&doc, CopiedDoc::line)?;
    }
    Ok(exit::OK)
}

/// A file becomes `to`, or goes into that folder; what is in a folder goes into the folder `to`.
async fn out_of(sandbox: &Sandbox, path: &str, to: &Path, caps: Caps) -> Result<CopiedDoc, Failure> {
    let entry = sandbox.stat(path).await?;
    let is_folder = match entry.kind {
        EntryKind::Folder => true,
        // Where it points is seen by trying.
        EntryKind::Link => sandbox.files(path).await.is_ok(),
        _ => false,
    };
    if is_folder {
        sandbox.get(path, caps).await?.unpack(to, caps).await?;
        return Ok(copied(path, &to.to_string_lossy(), None));
    }
    let name = Path::new(path).file_name().unwrap_or_default();
    let to = if to.is_dir() { to.join(name) } else { followed(to).await? };
    if entry.size > caps.bytes {
        return Err(FileError::Limit(format!("{} bytes", entry.size)).into());
    }
    // One more than may be, so that what grows meanwhile is told from what is whole.
    let file = sandbox.read(path, 0, caps.bytes.saturating_add(1)).await?;
    let bytes = file.save(&to, entry.mode, caps.bytes).await?;
    Ok(copied(path, &to.to_string_lossy(), Some(bytes)))
}

/// What was typed may be a link, and means what that points to.
async fn followed(to: &Path) -> Result<PathBuf, Failure> {
    let missing = |why: &str| {
        Failure::said("not_found", format!("{}: {why}", to.display()))
            .hint("give a file or folder of this machine")
    };
    if to.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(missing("there is no such folder"));
    }
    if !tokio::fs::symlink_metadata(to).await.is_ok_and(|about| about.is_symlink()) {
        return Ok(to.to_owned());
    }
    let followed = tokio::fs::canonicalize(to).await.map_err(|error| missing(&error.to_string()))?;
    Ok(followed)
}

/// The same the other way round.
async fn into(sandbox: &Sandbox, from: &Path, path: &str, caps: Caps) -> Result<CopiedDoc, Failure> {
    let shown = from.to_string_lossy();
    let cannot = |error: io::Error| {
        Failure::said("not_found", format!("{}: {error}", from.display()))
            .hint("give a file or folder that can be read")
    };
    let about = tokio::fs::metadata(from).await.map_err(cannot)?;
    if about.is_dir() {
        sandbox.put(path, pack(from, caps), caps).await?;
        return Ok(copied(&shown, path, None));
    }
    if !about.is_file() {
        return Err(FileError::Refused(format!("{shown} is no file or folder")).into());
    }
    let path = match sandbox.files(path).await {
        Ok(_) => inside(path, from),
        Err(_) if path.ends_with('/') => inside(path, from),
        Err(_) => path.to_owned(),
    };
    if about.len() > caps.bytes {
        return Err(FileError::Limit(format!("{} bytes", about.len())).into());
    }
    let file = tokio::fs::File::open(from).await.map_err(cannot)?;
    let moved = Arc::new(AtomicU64::new(0));
    let counted = Counted { read: file, moved: moved.clone(), most: caps.bytes };
    sandbox.write(&path, about.permissions().mode(), counted).await?;
    Ok(copied(&shown, &path, Some(moved.load(Ordering::Relaxed))))
}

async fn to_stdout(mut archive: FileStream) -> Result<(), Failure> {
    let mut stdout = tokio::io::stdout();
    let mut part = vec![0; PART];
    loop {
        let read = archive.read(&mut part).await.map_err(FileError::from)?;
        let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        stdout.write_all(bytes).await?;
    }
    Ok(stdout.flush().await?)
}

/// A file of which so much is read at most: it may grow, or have no length of its own.
struct Counted<R> {
    read: R,
    moved: Arc<AtomicU64>,
    most: u64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buffer))?;
        let read = (buffer.filled().len() - before) as u64;
        if self.moved.fetch_add(read, Ordering::Relaxed) + read > self.most {
            let over = FileError::Limit(format!("more than {} bytes", self.most));
            return Poll::Ready(Err(io::Error::other(over)));
        }
        Poll::Ready(Ok(()))
    }
}

/// The file in that folder of a container.
fn inside(folder: &str, file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn copied(from: &str, to: &str, bytes: Option<u64>) -> CopiedDoc {
    CopiedDoc { from: from.to_owned(), to: to.to_owned(), bytes }
}

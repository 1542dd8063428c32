//! Files in and out of a container, and connections to its ports, while it runs: through the shim, with
//! the rights of the container's own user. A container that does not run gives and takes whole archives
//! through the engine; without the shim one that runs does neither.
//!
//! What a container gives is a stranger's word: names, links and contents are its programs' to choose.

use std::fmt;
use std::future::ready;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::unfold;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_util::io::StreamReader;
use wire_shim::entry::{Entry, code};
use wire_shim::frame::{CHUNK, Decoder};
use wire_shim::protocol::Stream;

use super::archive::Archive;
use super::exec::Exec;
use super::fault;
use super::local_files::looked_at;
use super::sandbox::Sandbox;
use super::stdin::ExecStdin;
use crate::spawn::command::{Command, OutputCap, Stdin};
use crate::spawn::error::{EngineError, ExecError};
use crate::spawn::outcome::{ExecEvent, Outcome, Output};
use crate::spawn::runtime::State;

/// Bytes that are kept of what such a program says of its failure.
const WORDS: usize = 4096;

/// For a program whose source broke, to take away what it has not finished.
const GRACE: Duration = Duration::from_secs(5);

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
}

impl Default for Caps {
    /// 1 GiB and 100,000 entries.
    fn default() -> Self {
        Self { bytes: 1 << 30, entries: 100_000 }
    }
}

/// Files could not be moved. What was written before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is nothing of that name, or nobody at that port.
    #[error("not found: {0}")]
    NotFound(String),
    /// The container's user may not.
    #[error("not allowed: {0}")]
    Denied(String),
    /// We may not, on this machine.
    #[error("not allowed: {0}")]
    DeniedHere(String),
    /// More than was allowed.
    #[error("over the limit: {0}")]
    Limit(String),
    /// An archive that leads out of its folder, or holds what is no file, folder or link.
    #[error("refused: {0}")]
    Refused(String),
    /// A disk, a tmpfs or a quota in the container has no room for it.
    #[error("no room in the container: {0}")]
    Full(String),
    /// There is no room on this machine.
    #[error("no room: {0}")]
    FullHere(String),
    /// A system said no: the container's, or this machine's.
    #[error("failed: {0}")]
    Failed(String),
    /// The path is not absolute, or holds a NUL byte.
    #[error("a path in a container is absolute and without NUL")]
    Path,
    /// The source could not be read.
    #[error("reading what was to be put: {0}")]
    Source(#[source] io::Error),
    /// The program that moves files ended in another way.
    #[error("the transfer ended: {}", .0.code())]
    Ended(Outcome),
    /// The container.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl FileError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "see what is there first, on the side that the message names",
            Self::Denied(_) => {
                "a container's user reads what is open to all, and writes below /tmp and to its mounts"
            }
            Self::DeniedHere(_) => "see who may read and write there",
            Self::Limit(_) => "allow more, or move less",
            Self::Refused(_) => "move files, folders and links of one folder, to names that nothing else has",
            Self::Full(_) => "remove what is not needed, or give the container a larger /tmp or a mount",
            Self::FullHere(_) => "make room on this machine, or copy to another disk",
            Self::Failed(_) => "look at what is at both paths, and whether an archive is one",
            Self::Path => "give an absolute path",
            Self::Source(_) => "see that the source can be read",
            Self::Ended(_) => "see whether the container runs: wire ps",
            Self::Exec(error) => error.hint(),
            Self::Engine(error) => error.hint(),
        }
    }
}

impl FileError {
    /// A source that knows it to be over the caps is over the limit, whoever reads it.
    fn of_source(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(over @ Self::Limit(_)) => over,
            Ok(other) => Self::Source(io::Error::other(other)),
            Err(error) => Self::Source(error),
        }
    }
}

impl Sandbox {
    /// Unpacks an uncompressed tar archive into a folder, which is made if it is missing. Absolute names,
    /// `..`, links that lead out, and what is no file, folder or link are refused. Of a container that does not
    /// run the folder has to be there, and be one that can be written.
    pub async fn put(
        &self,
        folder: &str,
        archive: impl AsyncRead + Send + Unpin + 'static,
        caps: Caps,
    ) -> Result<(), FileError> {
        check(folder)?;
        if self.is_at_rest().await? {
            let archive = looked_at(archive, caps, self.user()).await?;
            return Ok(self.client().archive_put(self.id(), folder, archive).await?);
        }
        self.write_to(&["untar", folder, &caps.bytes.to_string(), &caps.entries.to_string()], archive).await
    }

    /// A file, or what is in a folder, as an uncompressed tar archive. Look at each name before you unpack it, as
    /// [`FileStream::unpack`] does. Of a container that does not run, names begin with that of the folder.
    pub async fn get(&self, path: &str, caps: Caps) -> Result<FileStream, FileError> {
        check(path)?;
        if self.is_at_rest().await? {
            let archive = self.client().archive_get(self.id(), path).await?;
            return Ok(FileStream::of_engine(archive, caps.bytes));
        }
        self.read_from(&["tar", path, &caps.bytes.to_string(), &caps.entries.to_string()]).await
    }

    /// A file's bytes from an offset on, at most so many. Needs the shim.
    pub async fn read(&self, path: &str, offset: u64, bytes: u64) -> Result<FileStream, FileError> {
        check(path)?;
        self.read_from(&["read", path, &offset.to_string(), &bytes.to_string()]).await
    }

    /// A file with these bytes, whole or not at all: a source that breaks, and dropping the future, leave what
    /// was there before. Needs the shim.
    pub async fn write(
        &self,
        path: &str,
        mode: u32,
        from: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(), FileError> {
        check(path)?;
        self.write_to(&["write", path, &format!("{:o}", mode & 0o777)], from).await
    }

    /// What is at a path: a link itself, not what it points to. Needs the shim.
    pub async fn stat(&self, path: &str) -> Result<Entry, FileError> {
        check(path)?;
        let mut entries = self.entries("stat", path).await?;
        entries.pop().ok_or_else(|| FileError::NotFound(path.to_owned()))
    }

    /// What is in a folder, by name. Needs the shim.
    pub async fn files(&self, folder: &str) -> Result<Vec<Entry>, FileError> {
        check(folder)?;
        self.entries("list", folder).await
    }

    /// A connection to a port of the container's own loopback, whatever its network is. Needs the shim.
    pub async fn tcp(&self, port: u16) -> Result<Tunnel, FileError> {
        let mut exec =
            self.exec(self.tool(&["tcp", &port.to_string()])?.stdin(Stdin::Piped)).await?.forgotten();
        let stdin = exec.stdin();
        let mut words = Vec::new();
        loop {
            match exec.next().await {
                Some(ExecEvent::Out { stream: Stream::Stderr, bytes, .. }) => {
                    words.extend(bytes);
                    if words.first() == Some(&b'+') {
                        break;
                    }
                }
                Some(ExecEvent::Ended { outcome, .. }) => {
                    ended(&outcome, &String::from_utf8_lossy(&words))?;
                    return Err(FileError::Ended(outcome));
                }
                Some(_) => {}
                None => return Err(ExecError::NotRunning.into()),
            }
        }
        Ok(Tunnel { read: FileStream::of_exec(exec, Ends::WithItsStream), write: stdin })
    }

    /// Whether the engine alone may touch its files, because nothing runs that could change them meanwhile.
    async fn is_at_rest(&self) -> Result<bool, FileError> {
        let runs = matches!(self.status().await?.state, State::Running | State::Paused | State::Restarting);
        match (runs, self.has_shim()) {
            (true, false) => Err(ExecError::Unsupported { what: "moving files while it runs" }.into()),
            (runs, _) => Ok(!runs),
        }
    }

    /// One of the shim's own programs.
    fn tool(&self, args: &[&str]) -> Result<Command, ExecError> {
        if !self.has_shim() {
            return Err(ExecError::Unsupported { what: "looking into a container that runs" });
        }
        let tag = format!("shim {}", args.first().unwrap_or(&""));
        Ok(Command::new([wire_shim::PATH].iter().chain(args).copied()).cwd("/").tied().tag(tag))
    }

    /// Gives a program its input to the end, and hears how it ended. A program of which the source breaks is
    /// ended before its input is: an early end would be a whole input to it.
    async fn write_to(&self, args: &[&str], from: impl AsyncRead + Send + Unpin) -> Result<(), FileError> {
        let mut exec = self.exec(self.tool(args)?.stdin(Stdin::Piped)).await?.forgotten();
        let stdin = exec.stdin().ok_or(ExecError::StdinClosed)?;
        let (mut words, mut started, mut fed) = (Vec::new(), false, None);
        // Dropped before the program is, which then ends without having come to the end of its input.
        let mut feeding = pin!(feed(stdin, from));
        let outcome = loop {
            tokio::select! {
                event = exec.next() => match event {
                    Some(ExecEvent::Started { .. }) => started = true,
                    Some(ExecEvent::Out { bytes, .. }) if words.len() < WORDS => words.extend(bytes),
                    Some(ExecEvent::Ended { outcome, .. }) => break outcome,
                    Some(_) => {}
                    None => return Err(ExecError::NotRunning.into()),
                },
                done = &mut feeding, if fed.is_none() => fed = Some(done),
                // Before it runs there would be nothing to end.
                () = ready(()), if started && matches!(fed, Some(Err(_))) => {
                    exec.kill_tree(GRACE)?;
                    started = false;
                }
            }
        };
        match fed {
            Some(Err((error, _still_open))) => Err(FileError::of_source(error)),
            Some(Ok(())) | None => ended(&outcome, &String::from_utf8_lossy(&words)),
        }
    }

    async fn read_from(&self, args: &[&str]) -> Result<FileStream, FileError> {
        Ok(FileStream::of_exec(self.exec(self.tool(args)?).await?.forgotten(), Ends::WithItsProgram))
    }

    async fn entries(&self, program: &str, path: &str) -> Result<Vec<Entry>, FileError> {
        let cap = OutputCap { head: 16 << 20, tail: 4096 };
        let output: Output = self.run(self.tool(&[program, path])?.output(cap)).await?;
        ended(&output.outcome, &output.stderr.text())?;
        let malformed = |_| FileError::Failed("the list does not decode".to_owned());
        if output.stdout.dropped > 0 || !output.stdout.tail.is_empty() {
            return Err(FileError::Limit("the list is longer than 16 MiB".to_owned()));
        }
        let mut decoder = Decoder::new();
        decoder.feed(&output.stdout.head);
        let mut entries = Vec::new();
        while let Some(entry) = decoder.message().map_err(malformed)? {
            entries.push(entry);
        }
        entries.sort_by(|a: &Entry, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

/// Writes all of it and ends the input. A source that breaks leaves the input open.
async fn feed(stdin: ExecStdin, mut from: impl AsyncRead + Unpin) -> Result<(), (io::Error, Unfinished)> {
    let mut stdin = Unfinished(Some(stdin));
    let mut buffer = vec![0; CHUNK];
    loop {
        let n = match from.read(&mut buffer).await {
            Ok(n) => n,
            Err(error) => return Err((error, stdin)),
        };
        let Some(open) = stdin.0.as_mut().filter(|_| n > 0) else { break };
        // A program that takes no more says itself why.
        if open.write_all(buffer.get(..n).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    drop(stdin.0.take());
    Ok(())
}

/// An input that stays open when this is dropped.
struct Unfinished(Option<ExecStdin>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(ExecStdin::leave_open);
    }
}

/// Bytes out of a container. An [`AsyncRead`] that fails, and does not just end, where they are not whole.
pub struct FileStream(Pin<Box<dyn AsyncRead + Send>>);

/// When a stream out of a program is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// When the program has ended, and said whether all went well.
    WithItsProgram,
    /// As soon as nothing more comes; the program goes on, for what is still said to it.
    WithItsStream,
}

impl FileStream {
    pub(super) fn new(bytes: impl AsyncRead + Send + 'static) -> Self {
        Self(Box::pin(bytes))
    }

    fn of_exec(exec: Exec, ends: Ends) -> Self {
        let state = (Some(exec), Vec::new());
        let chunks = unfold(state, move |(exec, mut words)| async move {
            let mut exec = exec?;
            loop {
                match exec.next().await? {
                    ExecEvent::Out { stream: Stream::Stdout, bytes, .. } => {
                        return Some((Ok(bytes::Bytes::from(bytes)), (Some(exec), words)));
                    }
                    ExecEvent::Out { bytes, .. } if words.len() < WORDS => words.extend(bytes),
                    ExecEvent::Eof { stream: Stream::Stdout } if ends == Ends::WithItsStream => {
                        #[expect(clippy::disallowed_methods, reason = "it ends with the connection")]
                        tokio::spawn(exec.output());
                        return None;
                    }
                    ExecEvent::Ended { outcome, .. } => {
                        let words = String::from_utf8_lossy(&words).into_owned();
                        let failed = ended(&outcome, &words).err()?;
                        return Some((Err(io::Error::other(failed)), (None, Vec::new())));
                    }
                    ExecEvent::Started { .. }
                    | ExecEvent::Out { .. }
                    | ExecEvent::Gap { .. }
                    | ExecEvent::Eof { .. } => {}
                }
            }
        });
        Self(Box::pin(StreamReader::new(Box::pin(chunks))))
    }

    fn of_engine(archive: Archive, most: u64) -> Self {
        let chunks = unfold((Some(archive), 0), move |(archive, before)| async move {
            let mut archive = archive?;
            let failed = |error| Some((Err(io::Error::other(error)), (None, 0)));
            match archive.next().await {
                // The archive's own frame is not counted against files of the allowed size.
                Ok(Some(bytes)) if before + bytes.len() as u64 > most.saturating_mul(2).max(1 << 20) => {
                    failed(FileError::Limit("the archive is too long".to_owned()))
                }
                Ok(Some(bytes)) => {
                    let all = before + bytes.len() as u64;
                    Some((Ok(bytes), (Some(archive), all)))
                }
                Ok(None) => None,
                Err(error) => failed(error.into()),
            }
        });
        Self(Box::pin(StreamReader::new(Box::pin(chunks))))
    }
}

impl AsyncRead for FileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStream(..)")
    }
}

/// A connection to a port inside a container: whole as [`AsyncRead`] and [`AsyncWrite`], or in its halves.
#[derive(Debug)]
pub struct Tunnel {
    /// What the port says.
    pub read: FileStream,
    /// What is said to it; dropping it says that nothing more comes.
    pub write: Option<ExecStdin>,
}

impl Tunnel {
    fn writer(&mut self) -> io::Result<Pin<&mut ExecStdin>> {
        self.write.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_shutdown(cx)
    }
}

fn check(path: &str) -> Result<(), FileError> {
    if path.starts_with('/') && !path.contains('\0') { Ok(()) } else { Err(FileError::Path) }
}

/// What the program's end means. Its words are the container's, whose names they repeat.
fn ended(outcome: &Outcome, words: &str) -> Result<(), FileError> {
    let words = fault::plain(words.trim());
    let there = |words: &str| format!("in the container, {words}");
    let Outcome::Exited(number) = outcome else { return Err(FileError::Ended(outcome.clone())) };
    Err(match u8::try_from(*number).unwrap_or(u8::MAX) {
        code::OK => return Ok(()),
        code::MISSING => FileError::NotFound(there(&words)),
        code::DENIED => FileError::Denied(there(&words)),
        code::LIMIT => FileError::Limit(words),
        code::REFUSED => FileError::Refused(words),
        code::FULL => FileError::Full(words),
        _ => FileError::Failed(there(&words)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_moves_files_says_what_went_wrong() {
        let said = |number: u8| ended(&Outcome::Exited(number.into()), "no a\u{1b}[2Jb\n");
        assert!(said(code::OK).is_ok());
        assert!(
            matches!(said(code::MISSING), Err(FileError::NotFound(words)) if words == "in the container, no a?[2Jb")
        );
        assert!(matches!(said(code::FULL), Err(FileError::Full(words)) if words == "no a?[2Jb"));
        assert!(matches!(said(code::FAILED), Err(FileError::Failed(_))));
        assert!(matches!(said(code::USAGE), Err(FileError::Failed(_))));
        assert!(matches!(ended(&Outcome::Signaled(9), ""), Err(FileError::Ended(_))));
    }
}

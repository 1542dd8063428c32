//! The streams of attach and exec, on a connection of their own.
//!
//! 1. The request asks for an upgrade. 101 gives the bare connection, both ways.
//! 2. 200 comes from what stands between us and the engine and does not pass upgrades on: its body is the
//!    output, and input cannot be sent. Where input is wanted that is
//!    [`EngineError::ProxyBlocksHijack`].
//! 3. The output is taken apart as the caller said, with a terminal or without.
//!
//! Dropping both halves closes the connection and leaves the program running: the engine offers no more.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncWrite, ReadHalf, WriteHalf};
use tokio_util::io::poll_read_buf;

use super::super::Stream;
use super::super::error::EngineError;
use super::super::ids::{ContainerId, EngineExecId};
use super::client::Client;
use super::demux::{Demux, DemuxError};
use super::fault;
use super::http::{Answer, Body, Call, Socket};
use super::target::Target;

/// The buffer of a stream, and the least room in it before a new one is taken.
const BUFFER: usize = 64 << 10;
const ROOM: usize = 4 << 10;

/// What of a container to attach to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attach {
    /// Its input. One at a time: when either of two closes, the program's input ends.
    pub stdin: bool,
    /// It was created with a terminal.
    pub tty: bool,
    /// What it has written before, as far as the engine's log has it.
    pub logs: bool,
}

/// How an exec was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecStart {
    /// With an input.
    pub stdin: bool,
    /// With a terminal.
    pub tty: bool,
}

/// The streams of a running program.
#[derive(Debug)]
pub struct Hijacked {
    /// Its input, if it was asked for.
    pub input: Option<Input>,
    /// Its output.
    pub output: Output,
}

impl Client {
    /// Attaches to a container, running or not: before it is started, nothing of its output is missed.
    pub async fn attach(&self, id: &ContainerId, how: Attach) -> Result<Hijacked, EngineError> {
        let target = Target::new("containers")
            .name(id)
            .word("attach")
            .flag("stream", true)
            .flag("stdin", how.stdin)
            .flag("stdout", true)
            .flag("stderr", true)
            .flag("logs", how.logs);
        let call = Call::new(Method::POST, "attach", target, self.timeouts().query);
        self.hijack(call, how.stdin, how.tty).await
    }

    /// Starts an exec. What never started is told apart only by inspecting it afterwards: the engine
    /// writes its failure into the output.
    pub async fn exec_start(&self, id: &EngineExecId, how: ExecStart) -> Result<Hijacked, EngineError> {
        let call = self
            .change(Method::POST, "exec start", Target::new("exec").name(id).word("start"))
            .json(&json!({ "Detach": false, "Tty": how.tty }));
        self.hijack(call, how.stdin, how.tty).await
    }

    async fn hijack(&self, call: Call, stdin: bool, tty: bool) -> Result<Hijacked, EngineError> {
        let answer = self.send(call.upgrade()).await?;
        match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => bare(answer, stdin, tty).await,
            StatusCode::OK if !stdin => {
                let source = Source::Body(answer.body(None));
                Ok(Hijacked { input: None, output: Output::new(source, Bytes::new(), tty) })
            }
            StatusCode::OK => Err(EngineError::ProxyBlocksHijack),
            other => Err(EngineError::Protocol(format!("{} instead of a stream", other.as_u16()))),
        }
    }
}

/// A program's input. [`shutdown`](tokio::io::AsyncWriteExt::shutdown) ends it; dropping it alone does not.
pub struct Input(WriteHalf<Socket>);

/// A program's output, as it comes.
pub struct Output {
    source: Source,
    demux: Demux,
    buffer: BytesMut,
    over: bool,
}

enum Source {
    Bare(ReadHalf<Socket>),
    Body(Body),
}

impl Output {
    fn new(source: Source, read: Bytes, tty: bool) -> Self {
        let mut demux = Demux::new(tty);
        demux.feed(read);
        Self { source, demux, buffer: BytesMut::new(), over: false }
    }

    /// The next bytes of a stream, at most 64 KiB; `None` when the engine has ended them, which is not yet
    /// that the program has. After an error there is only `None`. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Result<(Stream, Bytes), EngineError>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Stream, Bytes), EngineError>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_part(cx)).transpose();
        self.over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<(Stream, Bytes)>, EngineError>> {
        loop {
            if let Some(part) = self.demux.part().map_err(failed)? {
                return Poll::Ready(Ok(Some(part)));
            }
            match ready!(self.poll_source(cx))? {
                Some(bytes) => self.demux.feed(bytes),
                None => return Poll::Ready(self.demux.end().map(|()| None).map_err(failed)),
            }
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, EngineError>> {
        match &mut self.source {
            Source::Body(body) => body.poll(cx),
            Source::Bare(half) => {
                if self.buffer.capacity() - self.buffer.len() < ROOM {
                    self.buffer.reserve(BUFFER);
                }
                let read = ready!(poll_read_buf(Pin::new(half), cx, &mut self.buffer))
                    .map_err(|error| EngineError::Unreachable(Box::new(error)))?;
                Poll::Ready(Ok((read > 0).then(|| self.buffer.split().freeze())))
            }
        }
    }
}

impl futures_core::Stream for Output {
    type Item = Result<(Stream, Bytes), EngineError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl AsyncWrite for Input {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

impl fmt::Debug for Output {
    /// Without what was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("over", &self.over).finish_non_exhaustive()
    }
}

async fn bare(answer: Answer, stdin: bool, tty: bool) -> Result<Hijacked, EngineError> {
    let (socket, read) = answer.upgraded().await?;
    let (reader, writer) = tokio::io::split(socket);
    let output = Output::new(Source::Bare(reader), read, tty);
    Ok(Hijacked { input: stdin.then_some(Input(writer)), output })
}

fn failed(error: DemuxError) -> EngineError {
    match error {
        DemuxError::System(words) => EngineError::Server { code: 500, message: fault::plain(&words) },
        DemuxError::Head => EngineError::Protocol(error.to_string()),
        DemuxError::Cut => EngineError::Unreachable(Box::new(error)),
    }
}

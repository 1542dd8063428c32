//! A running program's standard input, as its caller holds it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::engine_stdin::EngineStdin;
use super::session::StdinWriter;
use crate::spawn::error::ExecError;

/// A running program's standard input. Dropping it closes the input, and so does shutting it down as an
/// [`AsyncWrite`].
#[derive(Debug)]
pub struct ExecStdin(Input);

enum Input {
    Shim(StdinWriter),
    Engine(EngineStdin),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(..)")
    }
}

impl ExecStdin {
    pub(crate) const fn shim(writer: StdinWriter) -> Self {
        Self(Input::Shim(writer))
    }

    pub(crate) const fn engine(writer: EngineStdin) -> Self {
        Self(Input::Engine(writer))
    }

    /// Writes all of it; waits while the program takes nothing. [`ExecError::StdinClosed`] when it takes
    /// no more.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), ExecError> {
        match &mut self.0 {
            Input::Shim(writer) => writer.write_all(bytes).await,
            Input::Engine(writer) => writer.write_all(bytes).await,
        }
    }

    /// Goes without closing the input.
    pub(crate) fn leave_open(self) {
        match self.0 {
            Input::Shim(writer) => writer.leave_open(),
            Input::Engine(writer) => writer.leave_open(),
        }
    }

    /// No more input: the program reads its end.
    pub async fn close(self) -> Result<(), ExecError> {
        match self.0 {
            Input::Shim(_) => Ok(()),
            Input::Engine(writer) => writer.close().await,
        }
    }
}

impl AsyncWrite for ExecStdin {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Input::Shim(writer) => writer.poll_write(cx, bytes).map_err(broken),
            Input::Engine(writer) => writer.poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Input::Shim(_) => Poll::Ready(Ok(())),
            Input::Engine(writer) => writer.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Input::Shim(writer) => {
                writer.end();
                Poll::Ready(Ok(()))
            }
            Input::Engine(writer) => writer.poll_shutdown(cx),
        }
    }
}

fn broken(error: ExecError) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error)
}

//! The standard input of a program that the engine started. An engine takes what is written to one that has ended,
//! and at last takes nothing more and says nothing: so this ends with the program.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncWrite as _, AsyncWriteExt as _};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::hijack::Input;
use crate::spawn::error::ExecError;

/// Dropping it closes the input.
pub(crate) struct EngineStdin {
    input: Option<Input>,
    /// The program has ended.
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl EngineStdin {
    pub(crate) fn new(input: Input, over: CancellationToken) -> Self {
        Self { input: Some(input), over: Box::pin(over.cancelled_owned()) }
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), ExecError> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await;
            let written = written.map_err(|_| ExecError::StdinClosed)?;
            bytes = bytes.get(written..).filter(|_| written > 0).ok_or(ExecError::StdinClosed)?;
        }
        Ok(())
    }

    pub(crate) async fn close(mut self) -> Result<(), ExecError> {
        let mut input = self.input.take().ok_or(ExecError::StdinClosed)?;
        input.shutdown().await.map_err(|_| ExecError::StdinClosed)
    }

    /// Goes without closing the input.
    pub(crate) fn leave_open(mut self) {
        self.input = None;
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.open(cx)?.poll_write(cx, bytes)
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open(cx)?.poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open(cx)?.poll_shutdown(cx)
    }

    /// The input, while somebody takes it; whoever waits for that is woken by the end.
    fn open(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut Input>> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.input.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for EngineStdin {
    /// Half of a connection, dropped, closes nothing. A socket is shut without waiting.
    fn drop(&mut self) {
        if let Some(input) = &mut self.input {
            drop(Pin::new(input).poll_shutdown(&mut Context::from_waker(Waker::noop())));
        }
    }
}

//! Input of a program: written as fast as the program takes it, never further ahead than the window.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;
use wire_shim::frame::CHUNK;
use wire_shim::protocol::{ExecId, WINDOW};

use super::{Ask, Session};
use crate::spawn::error::ExecError;

/// Room in the window, one permit a byte. Closed when the program takes no more.
#[derive(Clone, Debug)]
pub(crate) struct Credit(Arc<Semaphore>);

impl Credit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(WINDOW).unwrap_or(usize::MAX))))
    }

    /// The program has taken this many more bytes.
    pub(super) fn give(&self, bytes: u64) {
        self.0.add_permits(usize::try_from(bytes.min(WINDOW)).unwrap_or(0));
    }

    /// It takes no more.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// A running program's standard input. Dropping it closes the input.
#[derive(Debug)]
pub(crate) struct StdinWriter {
    session: Session,
    exec: ExecId,
    room: PollSemaphore,
    open: bool,
}

impl StdinWriter {
    pub(crate) fn new(session: Session, exec: ExecId, credit: Credit) -> Self {
        Self { session, exec, room: PollSemaphore::new(credit.0), open: true }
    }

    /// Goes without closing the input.
    pub(crate) fn leave_open(mut self) {
        self.open = false;
    }

    /// Says that no more comes.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.session.ask(Ask::StdinEnd { exec: self.exec });
        }
    }

    /// Writes some of it, when the program has taken as much of what was written before.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, ExecError>> {
        let piece = bytes.get(..CHUNK).unwrap_or(bytes);
        if !self.open {
            return Poll::Ready(Err(ExecError::StdinClosed));
        }
        if piece.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let permits = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let room = ready!(self.room.poll_acquire_many(cx, permits)).ok_or(ExecError::StdinClosed)?;
        room.forget();
        self.session.ask(Ask::Stdin { exec: self.exec, bytes: piece.to_vec() });
        Poll::Ready(Ok(piece.len()))
    }

    /// Writes all of it; waits while the program takes nothing.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), ExecError> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for StdinWriter {
    fn drop(&mut self) {
        self.end();
    }
}

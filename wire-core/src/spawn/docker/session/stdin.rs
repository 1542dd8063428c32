//! Input of a program: written as fast as the program takes it, never further ahead than the window.

use std::sync::Arc;

use tokio::sync::Semaphore;
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
    credit: Credit,
    open: bool,
}

impl StdinWriter {
    pub(crate) const fn new(session: Session, exec: ExecId, credit: Credit) -> Self {
        Self { session, exec, credit, open: true }
    }

    /// Goes without closing the input.
    pub(crate) fn leave_open(mut self) {
        self.open = false;
    }

    /// Writes all of it; waits while the program takes nothing.
    pub(crate) async fn write_all(&self, bytes: &[u8]) -> Result<(), ExecError> {
        for piece in bytes.chunks(CHUNK) {
            let permits = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let room = self.credit.0.acquire_many(permits).await.map_err(|_| ExecError::StdinClosed)?;
            room.forget();
            self.session.ask(Ask::Stdin { exec: self.exec, bytes: piece.to_vec() });
        }
        Ok(())
    }
}

impl Drop for StdinWriter {
    fn drop(&mut self) {
        if self.open {
            self.session.ask(Ask::StdinEnd { exec: self.exec });
        }
    }
}

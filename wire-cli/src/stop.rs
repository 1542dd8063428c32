//! Being told to stop: Ctrl-C, or a signal that asks for it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{self, Failure};

/// Follows the signals that ask a program to end. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<u8>>);

impl Stop {
    /// Takes the signals over from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            let code = tokio::select! {
                _ = interrupt.recv() => exit::INTERRUPTED,
                _ = terminate.recv() => exit::TERMINATED,
                _ = hang_up.recv() => exit::HUNG_UP,
            };
            tell.send_replace(Some(code));
            // The sender stays, so that nobody takes its end for a signal.
            tell.closed().await;
        });
        Ok(Self(told))
    }

    /// Waits until the program was asked to end.
    pub(crate) async fn requested(&self) -> Failure {
        let mut told = self.0.clone();
        match told.wait_for(Option::is_some).await {
            Ok(code) => Failure::Stopped(code.unwrap_or(exit::INTERRUPTED)),
            Err(_) => std::future::pending().await,
        }
    }

    /// Runs `work` to its end, or until the program was asked to end.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            outcome = work => outcome,
            stopped = self.requested() => Err(stopped),
        }
    }
}

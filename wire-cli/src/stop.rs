//! Being told to stop: Ctrl-C, or a signal that asks for it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{self, Failure};

/// Follows the signals that ask a program to end. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Told>);

/// The first signal's exit code, and how many signals there were.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    code: u8,
    times: u32,
}

impl Stop {
    /// Takes the signals over from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (tell, told) = watch::channel(Told::default());
        tokio::spawn(async move {
            // Until nobody listens: the sender stays, so that its end is not taken for a signal.
            loop {
                let code = tokio::select! {
                    _ = interrupt.recv() => exit::INTERRUPTED,
                    _ = terminate.recv() => exit::TERMINATED,
                    _ = hang_up.recv() => exit::HUNG_UP,
                    () = tell.closed() => break,
                };
                tell.send_modify(|told| {
                    told.times = told.times.saturating_add(1);
                    if told.times == 1 {
                        told.code = code;
                    }
                });
            }
        });
        Ok(Self(told))
    }

    /// Waits until the program was asked to end.
    pub(crate) async fn requested(&self) -> Failure {
        self.times(1).await
    }

    /// Waits until it was asked that often; tells by the first one how.
    pub(crate) async fn times(&self, times: u32) -> Failure {
        let mut told = self.0.clone();
        match told.wait_for(|told| told.times >= times).await {
            Ok(told) => Failure::Stopped(told.code),
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

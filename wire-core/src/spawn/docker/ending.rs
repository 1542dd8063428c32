//! How a container ended, as far as the engine knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::client::Client;
use super::described::Inspect;
use crate::spawn::error::EngineError;
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::{Exit, ExitReason};
use crate::spawn::runtime::State;
use crate::time::Timestamp;
use wire_shim::protocol::exit as code;

/// How long the engine may be away, or a container that still runs be out of reach, before its programs count as
/// lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How it ended, or `None` while it has not. `why` is what the caller knows of the reason.
pub(crate) async fn of(
    client: &Client,
    container: &ContainerId,
    why: ExitReason,
) -> Result<Option<Exit>, EngineError> {
    match client.inspect(container).await {
        Ok(inspect) => Ok(exit(&inspect, why)),
        Err(EngineError::NotFound(_)) => Ok(Some(Exit::new(None, ExitReason::Removed))),
        Err(error) => Err(error),
    }
}

/// The engine's clock and ours may differ by so many milliseconds, when it is asked whether a time was over.
const CLOCKS: i64 = 1000;

/// Codes from here on may come from the shim, from a signal, or from an engine that knows no better.
const FIRST_DOUBTFUL: i32 = 124;

/// What was asked of a container through one handle: that shares it with its talk and its programs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<AtomicU8>);

impl Asked {
    const STOP: u8 = 1;
    const KILL: u8 = 2;

    pub(crate) fn stop(&self) {
        self.0.store(Self::STOP, Ordering::Relaxed);
    }

    pub(crate) fn kill(&self) {
        self.0.store(Self::KILL, Ordering::Relaxed);
    }

    fn reason(&self) -> Option<ExitReason> {
        match self.0.load(Ordering::Relaxed) {
            Self::STOP => Some(ExitReason::Stopped),
            Self::KILL => Some(ExitReason::Killed),
            _ => None,
        }
    }
}

/// What is known of a container, from which follows why it ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Its first process is the shim.
    pub(crate) shim: bool,
    /// Whether it outlives its command, or has none; not known of one that was found.
    pub(crate) stays: Option<bool>,
    /// When its time is over.
    pub(crate) expires: Option<Timestamp>,
    /// What was asked for here.
    pub(crate) asked: Asked,
}

impl Known {
    /// Says why, as far as the code and the time tell. The shim's own codes may be those of a command too.
    pub(crate) fn explain(&self, mut exit: Exit) -> Exit {
        if exit.reason != ExitReason::Unknown {
            return exit;
        }
        if let Some(asked) = self.asked.reason() {
            exit.reason = asked;
            return exit;
        }
        let due = self.expires.zip(exit.at).is_some_and(|(due, at)| at.offset_millis(CLOCKS) >= due);
        let shims = |own: u8| self.shim && exit.code == Some(i32::from(own));
        exit.reason = if shims(code::DEADLINE) && due {
            ExitReason::Deadline
        } else if shims(code::LEASE) && self.stays == Some(true) {
            ExitReason::Lease
        } else if exit.code.is_some_and(|code| code < FIRST_DOUBTFUL) && self.stays == Some(false) {
            ExitReason::Itself
        } else {
            ExitReason::Unknown
        };
        if exit.reason == ExitReason::Lease {
            // It is the shim's word and no signal, though it is a number like one.
            exit.signal = None;
        }
        exit
    }
}

/// What an engine says of a container whose end it has not seen, because it was away: no code at all.
const UNSEEN: i32 = 255;

/// The end of a container while the engine was away.
pub(crate) fn unseen(mut exit: Exit) -> Exit {
    exit.code = exit.code.filter(|code| *code != UNSEEN);
    exit
}

/// How it ended, or `None` while it has not.
pub(crate) fn exit(inspect: &Inspect, why: ExitReason) -> Option<Exit> {
    match inspect.state {
        State::Exited | State::Dead | State::Removing => Some(Exit {
            code: inspect.exit_code,
            signal: inspect.exit_code.filter(|code| (129..=192).contains(code)).map(|code| code - 128),
            oom_seen: inspect.oom_killed,
            reason: why,
            at: inspect.finished_at,
        }),
        State::Created | State::Running | State::Paused | State::Restarting | State::Unknown => None,
    }
}

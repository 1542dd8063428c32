//! How a container ended, as far as the engine knows.

use std::time::Duration;

use super::client::Client;
use super::described::Inspect;
use crate::spawn::error::EngineError;
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::{Exit, ExitReason};
use crate::spawn::runtime::State;

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

//! Whether a container can answer at all.

use std::time::Duration;

use super::client::Client;
use crate::spawn::error::ExecError;
use crate::spawn::ids::ContainerId;
use crate::spawn::runtime::State;

/// How long the engine may take to say whether a container is paused.
const LOOK: Duration = Duration::from_secs(1);

/// A container that may be paused.
#[derive(Clone)]
pub(crate) struct Pulse {
    pub(super) client: Client,
    pub(super) container: ContainerId,
}

impl Pulse {
    /// A frozen container does not answer, and would do what it was asked whenever it thaws. An engine that does
    /// not answer is no reason to wait: the shim may.
    pub(super) async fn awake(&self) -> Result<(), ExecError> {
        #[expect(clippy::disallowed_methods, reason = "an adapter")]
        let look = tokio::time::timeout(LOOK, self.client.inspect(&self.container)).await;
        match look {
            Ok(Ok(inspect)) if inspect.state == State::Paused => Err(ExecError::Paused),
            _ => Ok(()),
        }
    }
}

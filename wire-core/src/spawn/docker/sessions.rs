//! The talks with shims that this process has: all handles of a container share one, because each takes a
//! process in the container and a shim takes only some.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::session::{Session, WeakSession};
use crate::spawn::error::ExecError;
use crate::spawn::ids::ContainerId;

type Slot = Arc<tokio::sync::Mutex<Option<WeakSession>>>;

/// By container. Holds none of them open.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeMap<ContainerId, Slot>>);

impl Sessions {
    /// One that was begun just now.
    pub(super) async fn share(&self, id: &ContainerId, session: &Session) {
        *self.slot(id).lock().await = Some(session.downgrade());
    }

    /// The one that there is, or a new one; with beats if they are wanted. Who comes meanwhile waits for it.
    pub(super) async fn get(
        &self,
        id: &ContainerId,
        beats: bool,
        join: impl Future<Output = Result<Session, ExecError>>,
    ) -> Result<Session, ExecError> {
        let slot = self.slot(id);
        let mut there = slot.lock().await;
        let open = there.as_ref().and_then(WeakSession::upgrade);
        if let Some(session) = open.filter(|session| session.beats() || !beats) {
            return Ok(session);
        }
        let session = join.await?;
        *there = Some(session.downgrade());
        Ok(session)
    }

    fn slot(&self, id: &ContainerId) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let in_use = Arc::strong_count(slot) > 1;
            in_use
                || slot.try_lock().is_ok_and(|there| there.as_ref().and_then(WeakSession::upgrade).is_some())
        });
        Arc::clone(slots.entry(id.clone()).or_default())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(..)")
    }
}

//! Removes what nobody needs any more: what crashed processes have left, and what has lived its time.
//!
//! 0. What this very process could not finish is tried again ([`leftover`](super::leftover)).
//! 1. The owner's containers are listed in every state: one that was made and never started is a leak too.
//! 2. Only where the labels verify, and only by the engine's id, anything is removed.
//! 3. Volumes follow when no container has them. Two may sweep at once: what is gone is done.

#![expect(clippy::disallowed_methods, reason = "an adapter: it waits between two sweeps")]

use std::time::Duration;

use super::containers::Removed;
use super::engine::{Docker, now};
use super::installation::place;
use crate::spawn::error::EngineError;
use crate::spawn::sweep::{Found, Judgement, Reason, Sweep};

/// Something that was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// A container, or a volume.
    pub kind: SweptKind,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: Reason,
    /// It is gone. False of a dry run, and where the engine would not.
    pub removed: bool,
}

/// What was swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweptKind {
    /// A container.
    Container,
    /// A volume.
    Volume,
}

impl Docker {
    /// Removes what nobody needs of this installation's containers and volumes. With `dry` it only says
    /// what it would remove.
    pub async fn sweep(&self, dry: bool) -> Result<Vec<Swept>, EngineError> {
        let owner = self.owner().to_hex();
        let engine_now = self.client().system_time().await?;
        let alive = |instance| self.installation().lives(instance);
        let sweep = Sweep {
            secret: self.installation().secret(),
            engine_now,
            our_now: now(),
            here: &place(),
            alive: &alive,
        };
        let judge = |found: Found<'_>| match sweep.judge(&found) {
            Judgement::Remove(reason) => Some(reason),
            Judgement::Keep | Judgement::NotOurs(_) => None,
        };
        let mut swept = Vec::new();
        if !dry {
            self.installation().forget_unnoted();
            for name in self.remove_leftovers().await {
                let (kind, name, reason) = (SweptKind::Container, name.to_string(), Reason::NeverStarted);
                swept.push(Swept { kind, name, reason, removed: true });
            }
        }
        for listed in self.listed().await? {
            let found = Found {
                name: &listed.name,
                labels: &listed.labels,
                state: Some(listed.state),
                never_begun: self.installation().never_begun(&listed.name, &listed.id),
            };
            let Some(reason) = judge(found) else { continue };
            let removed = !dry && gone(self.remove_container(&listed.name, &listed.id).await)?;
            swept.push(Swept { kind: SweptKind::Container, name: listed.name, reason, removed });
        }
        for volume in self.client().volume_list(&[("wire.owner", &owner)]).await? {
            let name = volume.name.as_str();
            let found = Found { name, labels: &volume.labels, state: None, never_begun: false };
            let Some(reason) = judge(found) else { continue };
            let removed = !dry && gone(self.client().volume_remove(&volume.name).await)?;
            let name = volume.name.as_str().to_owned();
            swept.push(Swept { kind: SweptKind::Volume, name, reason, removed });
        }
        self.installation().bury_the_dead();
        Ok(swept)
    }

    /// Sweeps, and again after each `pause`, until it is dropped. A sweep that fails is tried again next
    /// time.
    pub async fn keep_swept(&self, pause: Duration) {
        loop {
            match self.sweep(false).await {
                Ok(swept) if swept.is_empty() => {}
                Ok(swept) => tracing::info!(count = swept.len(), "swept what nobody needed"),
                Err(error) => tracing::warn!(%error, "the sweep failed"),
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether it is gone, or on its way. What is in use, or what the engine fails to remove, stays for the next
/// time and is no reason to leave the others.
fn gone(removed: Result<Removed, EngineError>) -> Result<bool, EngineError> {
    match removed {
        Ok(_) => Ok(true),
        Err(error @ EngineError::Server { .. }) => {
            tracing::warn!(%error, "the engine could not remove it");
            Ok(false)
        }
        Err(EngineError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

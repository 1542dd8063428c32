//! What this process began to make and could not finish, nor remove at once because the engine was away. No
//! sweep takes it for an orphan as long as this process lives, so it is remembered here.
//!
//! 1. A [`Guard`] holds a container while it is made. What is not kept is removed: at once, or, if the
//!    engine does not answer or the future was dropped, by a task that tries all of them until they are gone.
//! 2. Each sweep tries too.
//! 3. Meanwhile another maker of the same name may have taken it over: its turn is awaited, and
//!    what somebody else has started stays.

#![expect(clippy::disallowed_methods, reason = "an adapter: one task tries again until the engine is back")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio::time::Instant;

use super::containers::Removed;
use super::described::Inspect;
use super::engine::Docker;
use super::turn::{Attempt, Turn};
use crate::spawn::error::EngineError;
use crate::spawn::ids::{ContainerId, SpawnName};
use crate::spawn::runtime::State;

/// Between two attempts, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// So long after it was asked, an engine may still make a container whose maker has left.
pub(super) const LATE: Duration = Duration::from_secs(30);

/// Something that was not finished.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    /// As the engine has it until it is renamed.
    name: SpawnName,
    /// Not known if the engine never answered.
    id: Option<ContainerId>,
    /// Who began it. None: nobody else can have it.
    attempt: Option<Attempt>,
    since: Instant,
    tried: bool,
}

impl Leftover {
    fn is(&self, other: &Self) -> bool {
        (&self.name, self.since) == (&other.name, other.since)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    list: Mutex<List>,
    /// Rung for each that comes.
    more: Notify,
    /// Who sweeps waits for whom it would otherwise meet at a turn that is taken.
    pass: AsyncMutex<()>,
}

#[derive(Debug, Default)]
struct List {
    all: Vec<Leftover>,
    /// Of those that were not tried yet, what [`Docker::settled`] waits for.
    untried: Vec<watch::Receiver<()>>,
    /// One task tries them all.
    is_tried: bool,
}

impl Leftovers {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, one: Leftover) {
        self.list().all.push(one);
        self.more.notify_one();
    }

    /// The right to be the one task that tries them, unless there is one.
    fn begin(&self, docker: &Docker) -> Option<Trying> {
        let mut list = self.list();
        list.untried.push(docker.removal());
        let begins = !std::mem::replace(&mut list.is_tried, true);
        begins.then(|| Trying(Some(docker.clone())))
    }

    /// Nothing is left to try: whatever comes now needs another task.
    fn end(&self) -> bool {
        let mut list = self.list();
        if list.all.is_empty() {
            list.untried.clear();
            list.is_tried = false;
        }
        !list.is_tried
    }

    fn all(&self) -> Vec<Leftover> {
        self.list().all.clone()
    }

    fn done(&self, one: &Leftover) {
        self.list().all.retain(|other| !other.is(one));
    }

    fn tried(&self, one: &Leftover) {
        self.list().all.iter_mut().filter(|other| other.is(one)).for_each(|other| other.tried = true);
    }
}

/// Tries all of them until none is left.
struct Trying(Option<Docker>);

impl Trying {
    async fn run(mut self) {
        let Some(docker) = self.0.clone() else { return };
        let leftovers = docker.leftovers();
        let mut pause = FIRST_PAUSE;
        let mut next = Instant::now() + pause;
        loop {
            let untried = std::mem::take(&mut leftovers.list().untried);
            docker.try_leftovers(|leftover| !leftover.tried).await;
            drop(untried);
            if leftovers.end() {
                self.0 = None;
                return;
            }
            tokio::select! {
                () = leftovers.more.notified() => {}
                () = tokio::time::sleep_until(next) => {
                    docker.remove_leftovers().await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    next = Instant::now() + pause;
                }
            }
        }
    }
}

impl Drop for Trying {
    /// Its runtime has ended before it was done.
    fn drop(&mut self) {
        if let Some(docker) = self.0.take() {
            let mut list = docker.leftovers().list();
            list.is_tried = false;
            list.untried.clear();
        }
    }
}

/// Removes a container unless it is kept.
pub(super) struct Guard(Option<(Docker, Leftover)>);

impl Guard {
    /// Before the engine is asked to make one of that name.
    pub(super) fn new(docker: &Docker, name: &SpawnName, turn: Option<&Turn>) -> Self {
        let attempt = turn.map(Turn::attempt);
        let leftover =
            Leftover { name: name.clone(), id: None, attempt, since: Instant::now(), tried: false };
        Self(Some((docker.clone(), leftover)))
    }

    /// For one that is there, and nobody else's.
    pub(super) fn of(docker: &Docker, name: &SpawnName, id: &ContainerId) -> Self {
        let mut guard = Self::new(docker, name, None);
        guard.made(id);
        guard
    }

    /// The engine has made it.
    pub(super) fn made(&mut self, id: &ContainerId) {
        if let Some((_, leftover)) = &mut self.0 {
            leftover.id = Some(id.clone());
        }
    }

    pub(super) fn keep(mut self) {
        self.0 = None;
    }

    /// Whether it is gone. If not, it is tried again without the caller.
    pub(super) async fn remove(mut self) -> bool {
        let removed = match &self.0 {
            Some((docker, Leftover { name, id: Some(id), .. })) => {
                docker.remove_container(name.as_str(), id).await.is_ok()
            }
            Some(_) | None => false,
        };
        if removed {
            self.0 = None;
        }
        removed
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some((docker, leftover)) = self.0.take() else { return };
        docker.leftovers().add(leftover);
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && let Some(trying) = docker.leftovers().begin(&docker)
        {
            runtime.spawn(trying.run());
        }
    }
}

impl Docker {
    /// Tries to remove what was not finished; gives the names of what is gone now.
    pub(super) async fn remove_leftovers(&self) -> Vec<SpawnName> {
        self.try_leftovers(|_| true).await
    }

    async fn try_leftovers(&self, which: impl Fn(&Leftover) -> bool) -> Vec<SpawnName> {
        let _pass = self.leftovers().pass.lock().await;
        let mut gone = Vec::new();
        for leftover in self.leftovers().all().into_iter().filter(which) {
            match self.remove_leftover(&leftover).await {
                Ok(removed) => {
                    if removed || leftover.id.is_some() || leftover.since.elapsed() > LATE {
                        self.leftovers().done(&leftover);
                    }
                    gone.extend(removed.then(|| leftover.name.clone()));
                }
                Err(error) => tracing::debug!(?error, name = %leftover.name, "not removed yet"),
            }
            self.leftovers().tried(&leftover);
        }
        gone
    }

    /// Whether it was there and is removed.
    async fn remove_leftover(&self, leftover: &Leftover) -> Result<bool, Option<EngineError>> {
        let name = leftover.name.without_pending().unwrap_or_else(|| leftover.name.clone());
        let turn = match leftover.attempt {
            Some(_) => Some(self.installation().turn_now(&name).ok_or(None)?),
            None => None,
        };
        let found = match &leftover.id {
            None => self.by_name(&leftover.name).await?,
            Some(id) => match self.client().inspect(id).await {
                Err(EngineError::NotFound(_)) => None,
                found => Some(found?),
            },
        };
        let id = found.as_ref().map(|found| found.id.clone()).or_else(|| leftover.id.clone());
        let removed = match found {
            None => false,
            Some(found) => {
                if self.verified(&found).is_err() || !is_still_ours(leftover, turn.as_ref(), &found) {
                    return Ok(false);
                }
                self.remove_container(leftover.name.as_str(), &found.id).await? == Removed::Now
            }
        };
        // While the turn is held here, nobody else could do this.
        if let Some(turn) = turn.filter(|turn| turn.noted().is_none_or(|note| Some(note.container) == id)) {
            turn.forget();
        }
        Ok(removed)
    }
}

/// Nobody has started it, or it was us.
fn is_still_ours(leftover: &Leftover, turn: Option<&Turn>, found: &Inspect) -> bool {
    let never_started = found.state == State::Created && found.started_at.is_none();
    let noted = turn.and_then(Turn::noted).filter(|note| note.container == found.id);
    leftover.attempt.is_none()
        || never_started
        || noted.is_some_and(|note| Some(note.attempt) == leftover.attempt)
}

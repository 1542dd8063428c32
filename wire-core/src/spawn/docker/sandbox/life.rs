//! How a container stands, and its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::containers::{Removed, WaitFor};
use super::super::session::Ask;
use super::super::{ending, pump};
use super::{Sandbox, within};

use crate::spawn::command::Signal;
use crate::spawn::error::EngineError;
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::{Exit, ExitReason};
use crate::spawn::runtime::{State, Status, Usage};
use crate::time::Timestamp;

/// On top of a grace, until the engine is asked to end what did not end by itself: readers of the rest get most of it.
const SLACK: Duration = Duration::from_secs(12);
/// Until a shim that nobody talks with yet must have answered; the engine is asked instead then.
const REACH: Duration = Duration::from_secs(2);

impl Sandbox {
    /// How things stand.
    pub async fn status(&self) -> Result<Status, EngineError> {
        let inspect = self.docker.client().inspect(&self.id).await?;
        let status = self.docker.status(&inspect);
        let mut status = status.ok_or_else(|| EngineError::NotFound("its labels are not ours".into()))?;
        status.exit = status.exit.map(|exit| self.known().explain(exit));
        Ok(status)
    }

    /// What it uses now. [`EngineError::Conflict`] of one that does not run: nobody knows any more.
    pub async fn stats(&self) -> Result<Usage, EngineError> {
        let usage = self.docker.client().usage(&self.id).await?;
        match (usage.memory, usage.cpu_nanos, usage.pids) {
            (Some(memory), Some(cpu), Some(pids)) => Ok(Usage::new(memory, cpu, pids)),
            _ => Err(EngineError::Conflict("the container does not run".to_owned())),
        }
    }

    /// Waits for its end, however long, and however often and long the engine is away meanwhile.
    ///
    /// This takes no output. The command of a container that is tied to this process stops when as much is unread
    /// as its [`Limits::output`](crate::spawn::Limits::output) says, and what is unread at the end of the container
    /// is gone with it: read [`main`](Self::main) at the same time, or let
    /// [`Docker::run`](crate::spawn::docker::Docker::run) do both.
    pub async fn wait(&self) -> Result<Exit, EngineError> {
        let exit = self.ended(ExitReason::Unknown).await?;
        Ok(self.known().explain(exit))
    }

    /// SIGTERM to all programs, SIGKILL after the grace, and its end; one that is paused goes on for that. Where the
    /// shim cannot be reached, as all its connections are taken, the engine asks it to end, and programs have 5 s at
    /// most. Output that nobody reads meanwhile is gone with
    /// the container. [`EngineError::NeverStarted`] of what its maker left before it was started:
    /// [`remove`](Self::remove) that.
    pub async fn stop(&self, grace: Duration) -> Result<Exit, EngineError> {
        let inspect = self.docker.client().inspect(&self.id).await;
        if self.has_ended().await? {
            return self.wait().await;
        }
        self.asked.stop();
        if inspect.is_ok_and(|inspect| inspect.state == State::Paused) {
            // Frozen programs cannot do what they are asked. An engine's own stop lets them go on too.
            drop(self.docker.client().unpause(&self.id).await);
        }
        // The engine would count the grace until the container's end, not until that of its programs.
        if let Some(Ok(session)) = within(REACH, self.session("ending it")).await {
            session.ask(Ask::Stop { grace });
            if let Some(ended) = within(grace.saturating_add(SLACK), self.ended(ExitReason::Stopped)).await {
                return ended;
            }
        } else {
            match self.docker.client().stop(&self.id, grace).await {
                Ok(_) | Err(EngineError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.kill_for(ExitReason::Stopped).await
    }

    /// Ends it at once. [`EngineError::NeverStarted`] as of [`stop`](Self::stop).
    pub async fn kill(&self) -> Result<Exit, EngineError> {
        if !self.has_ended().await? {
            self.asked.kill();
        }
        self.kill_for(ExitReason::Killed).await
    }

    /// Removes it, and ends it first if it runs.
    pub async fn remove(self) -> Result<Removed, EngineError> {
        self.docker.remove_container(self.name.as_str(), &self.id).await
    }

    /// Whether nobody reads it any more; waits for that, so long at most. A container that ends with its command stays
    /// while others read the rest of what that said, however slowly: [`remove`](Self::remove) takes it from them. Of one
    /// whose command was not seen to end here, `true` at once.
    pub async fn is_read(&self, limit: Duration) -> bool {
        let session = self.open_session().await;
        if self.stays != Some(false) || !session.is_some_and(|session| session.main_ended()) {
            return true;
        }
        // An engine that cannot tell knows of no reader.
        within(limit, self.docker.client().wait(&self.id, WaitFor::NotRunning)).await.is_some()
    }

    /// Lets go of it without ending it. What is tied to this process still ends with its lease.
    pub fn detach(self) -> ContainerId {
        self.id.clone()
    }

    /// The container's programs see this time as its end.
    pub fn expires(&self) -> Option<Timestamp> {
        let sooner = self.sooner.load(Ordering::Relaxed);
        let sooner = (sooner < u64::MAX).then(|| Timestamp::from_millis(sooner));
        [self.said_end(), sooner].into_iter().flatten().min()
    }

    /// The end that was said when it was made, which all can see.
    pub(super) fn said_end(&self) -> Option<Timestamp> {
        self.labels.as_ref().and_then(|labels| labels.expires).or_else(|| self.report.as_ref()?.expires)
    }

    async fn kill_for(&self, reason: ExitReason) -> Result<Exit, EngineError> {
        match self.docker.client().kill(&self.id, Signal::KILL).await {
            // It does not run: no more, or not yet.
            Err(EngineError::Conflict(_)) if self.was_never_started().await => Err(EngineError::NeverStarted),
            Ok(()) => self.ended(reason).await,
            Err(EngineError::Conflict(_) | EngineError::NotFound(_)) if reason == ExitReason::Killed => {
                self.wait().await
            }
            Err(EngineError::Conflict(_) | EngineError::NotFound(_)) => self.ended(reason).await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has_ended(&self) -> Result<bool, EngineError> {
        Ok(ending::of(self.docker.client(), &self.id, ExitReason::Unknown).await?.is_some())
    }

    /// Whether it ends in that time.
    pub(super) async fn ends(&self, limit: Duration) -> bool {
        let ended = self.docker.client().wait(&self.id, WaitFor::NotRunning);
        matches!(within(limit, ended).await, Some(Ok(_) | Err(EngineError::NotFound(_))))
    }

    async fn was_never_started(&self) -> bool {
        let inspect = self.docker.client().inspect(&self.id).await;
        inspect.is_ok_and(|inspect| inspect.state == State::Created && inspect.started_at.is_none())
    }

    async fn ended(&self, reason: ExitReason) -> Result<Exit, EngineError> {
        let mut away = false;
        loop {
            match self.end(reason).await {
                Ok(Some(mut exit)) => {
                    // It also says so of a container whose first process lived on, and not of every one.
                    exit.oom_seen |=
                        self.docker.client().remembers_oom(&self.id, None).await.unwrap_or(false);
                    return Ok(if away { ending::unseen(exit) } else { exit });
                }
                Ok(None) => {}
                Err(error) if pump::may_pass(&error) => away = true,
                Err(error) => return Err(error),
            }
            pump::pause().await;
        }
    }

    /// Its end, or `None` if there was none to be seen.
    async fn end(&self, reason: ExitReason) -> Result<Option<Exit>, EngineError> {
        let client = self.docker.client();
        if let Some(exit) = ending::of(client, &self.id, reason).await? {
            return Ok(Some(exit));
        }
        match client.wait(&self.id, WaitFor::NotRunning).await {
            Ok(_) | Err(EngineError::NotFound(_)) => ending::of(client, &self.id, reason).await,
            Err(error) => Err(error),
        }
    }
}

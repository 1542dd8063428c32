//! What can carry out a spec: an engine, and later others. The trait is what all of them can do; the rest
//! lies behind [`Runtime::exec`], [`Runtime::files`] and [`Runtime::stats`], which a runtime may not have.
//!
//! A runtime says how far it holds each limit ([`Runtime::facts`]), and [`require`] compares that with what
//! a spec needs: what is not held is refused, never ignored.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use wire_core::spawn::fake::{self, Fake, Script};
//! use wire_core::spawn::{Outcome, Runtime, SpawnSpec, StdioPlan};
//! let runtime = Fake::new([Script::printing("done\n").ending(Outcome::Exited(3))]);
//! let spec = fake::valid(SpawnSpec::new("debian:12").cmd(["/bin/job"]));
//! let id = runtime.create(&spec).await?;
//! runtime.start(&id, StdioPlan::default()).await?;
//! assert_eq!(runtime.wait(&id).await?.code, Some(3));
//! runtime.remove(&id).await?;
//! assert!(runtime.inspect(&id).await?.is_none());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use wire_shim::protocol::ExecId;

use super::command::Command;
use super::control::Control;
use super::error::{EngineError, ExecError, SpawnError};
use super::facts::{Enforce, RuntimeFacts};
use super::ids::{ContainerId, ImageId, OwnerId, SpawnName};
use super::labels::Labels;
use super::limits::Resource;
use super::outcome::{ExecEvent, Exit, Outcome};
use super::relax::Relaxation;
use super::valid::ValidSpec;
use crate::time::Timestamp;

/// A future in a box, so that a runtime can be chosen while the program runs.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What can carry out a spec.
///
/// The order of calls is create, start (once), wait or stop, remove. Every future may be dropped: what it
/// was doing is then done, or swept.
pub trait Runtime: Send + Sync {
    /// What it can honestly promise.
    fn facts(&self) -> RuntimeFacts;

    /// Makes the container, or finds the one of the same name, owner and digest.
    fn create<'a>(&'a self, spec: &'a ValidSpec) -> Boxed<'a, Result<ContainerId, SpawnError>>;

    /// Starts it, if it was never started. The events end with [`ExecEvent::Ended`].
    /// [`EngineError::NeverStarted`]: another process made it, and only [`create`](Self::create) with its spec
    /// makes it startable here.
    fn start<'a>(&'a self, id: &'a ContainerId, io: StdioPlan) -> Boxed<'a, Result<Stdio, SpawnError>>;

    /// Asks it to end, and ends it after the grace. Returns when it has ended. [`EngineError::NeverStarted`] of one
    /// that was never started.
    fn stop<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> Boxed<'a, Result<Exit, EngineError>>;

    /// Returns when it has ended.
    fn wait<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Exit, EngineError>>;

    /// What is known of it, if it is there.
    fn inspect<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Option<Status>, EngineError>>;

    /// Everything of this owner, in every state.
    fn list(&self, owner: OwnerId) -> Boxed<'_, Result<Vec<Status>, EngineError>>;

    /// Removes it, running or not. What is gone already is removed.
    fn remove<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<(), EngineError>>;

    /// Running further programs in it.
    fn exec(&self) -> Option<&dyn ExecRuntime> {
        None
    }

    /// Files in and out of it.
    fn files(&self) -> Option<&dyn FileRuntime> {
        None
    }

    /// What it uses.
    fn stats(&self) -> Option<&dyn StatsRuntime> {
        None
    }
}

/// Running programs in a container that runs.
pub trait ExecRuntime: Send + Sync {
    /// Starts a program. Its events end with [`ExecEvent::Ended`].
    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        command: &'a Command,
    ) -> Boxed<'a, Result<Box<dyn Running>, ExecError>>;
}

/// Files of a container, as an uncompressed tar.
pub trait FileRuntime: Send + Sync {
    /// Unpacks the archive under the path.
    fn put<'a>(&'a self, id: &'a ContainerId, at: &'a str, tar: &'a [u8])
    -> Boxed<'a, Result<(), ExecError>>;

    /// Packs what is at the path, at most this many bytes.
    fn get<'a>(
        &'a self,
        id: &'a ContainerId,
        at: &'a str,
        most: u64,
    ) -> Boxed<'a, Result<Vec<u8>, ExecError>>;
}

/// What a container uses.
pub trait StatsRuntime: Send + Sync {
    /// At this moment.
    fn stats<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Usage, EngineError>>;
}

/// A program that runs.
pub trait Running: Send {
    /// What it tells next; nothing after its end.
    fn next(&mut self) -> Boxed<'_, Option<ExecEvent>>;

    /// Writes to its standard input.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, Result<(), ExecError>>;

    /// Ends its standard input.
    fn close(&mut self) -> Boxed<'_, Result<(), ExecError>>;

    /// Ends its whole tree: asks, and kills after the grace.
    fn kill(&mut self, grace: Duration) -> Boxed<'_, Result<(), ExecError>>;
}

/// Which of the container's streams its starter wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StdioPlan {
    /// Write its input.
    pub stdin: bool,
    /// Read its output.
    pub output: bool,
}

/// The container's own command, if it has one and its streams were asked for.
pub struct Stdio(pub Option<Box<dyn Running>>);

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stdio({})", if self.0.is_some() { "attached" } else { "none" })
    }
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: SpawnName,
    /// Its state.
    pub state: State,
    /// Our labels, verified.
    pub labels: Labels,
    /// The image that it is made of, by content, if the runtime says so.
    pub image: Option<ImageId>,
    /// The controls that are loosened, as far as the runtime was told.
    pub relaxed: BTreeSet<Control>,
    /// When it was made, by the runtime's clock.
    pub created: Option<Timestamp>,
    /// When it was started, if it was.
    pub started: Option<Timestamp>,
    /// How it ended, if it has.
    pub exit: Option<Exit>,
}

impl Status {
    /// Nothing known but this.
    pub const fn new(id: ContainerId, name: SpawnName, state: State, labels: Labels) -> Self {
        let relaxed = BTreeSet::new();
        Self { id, name, state, labels, image: None, relaxed, created: None, started: None, exit: None }
    }
}

/// A program in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecStatus {
    /// Its id.
    pub id: ExecId,
    /// The words that its starter gave it.
    pub tag: String,
    /// Its process in the container, if it has started.
    pub pid: Option<u32>,
    /// Bytes of standard output so far.
    pub stdout: u64,
    /// Bytes of standard error so far.
    pub stderr: u64,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// How long ago it was started.
    pub age: Duration,
}

/// The state of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Made, never started.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// The engine starts it again. Nothing of ours asks for that.
    Restarting,
    /// It is being removed.
    Removing,
    /// It has ended.
    Exited,
    /// It has ended, and could not be removed.
    Dead,
    /// A word that is not known here.
    Unknown,
}

impl State {
    /// By Docker's word.
    pub fn from_name(name: &str) -> Self {
        match name {
            "created" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Unknown,
        }
    }

    /// Docker's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

/// What a container uses at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of memory.
    pub memory: u64,
    /// Nanoseconds of processor time since its start.
    pub cpu_ns: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl Usage {
    /// This much.
    pub const fn new(memory: u64, cpu_ns: u64, pids: u64) -> Self {
        Self { memory, cpu_ns, pids }
    }
}

/// Refuses a spec that needs what the runtime does not hold. A limit that is only watched does for time.
pub fn require(facts: &RuntimeFacts, spec: &ValidSpec) -> Result<(), SpawnError> {
    let mut missing = Vec::new();
    for (what, held) in
        [(Resource::Memory, facts.memory), (Resource::Cpu, facts.cpu), (Resource::Pids, facts.pids)]
    {
        if held != Enforce::Hard && !spec.relaxed().contains(&Relaxation::Unlimited(what)) {
            missing.push(what.name().to_owned());
        }
    }
    if facts.network != Enforce::Hard && spec.network().is_none() {
        missing.push("no network".to_owned());
    }
    if facts.wall == Enforce::No && spec.life().deadline_ms.is_some() {
        missing.push(Resource::Wall.name().to_owned());
    }
    if missing.is_empty() { Ok(()) } else { Err(SpawnError::Unenforceable(missing)) }
}

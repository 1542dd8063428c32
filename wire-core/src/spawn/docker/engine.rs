//! The engine as a caller holds it: makes containers, finds them again, sweeps what nobody needs.

#![expect(clippy::disallowed_methods, reason = "the adapter's clock, environment and files")]

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, EngineConfig};
use super::containers::{Removed, WaitFor};
use super::described::{Inspect, Listed};
use super::ending::{Asked, Known};
use super::endpoint::Endpoint;
use super::exec::Exec;
use super::installation::{Installation, InstallationError, place};
use super::leftover::{Guard, Leftovers};
use super::making;
use super::runtime::Shared;
use super::sandbox::Sandbox;
use super::seen::Seen;
use super::sessions::Sessions;
use super::target::Segment;
use super::{elf, ending, host_view, shim_volume};
use crate::entropy::random;
use crate::spawn::attestation::Expected;
use crate::spawn::error::{EngineError, ExecError, SpawnError};
use crate::spawn::facts::EngineFacts;
use crate::spawn::hardening::HOSTS;
use crate::spawn::ids::{ContainerId, ImageId, ImageName, OwnerId, SpawnName, VolumeName};
use crate::spawn::image::ImageConfig;
use crate::spawn::labels::{Kind, LabelError, Labels};
use crate::spawn::outcome::{ExitReason, Output};
use crate::spawn::runtime::Status;
use crate::spawn::shim_binary::shim_bytes;
use crate::spawn::spec::{Pull, SpawnSpec};
use crate::spawn::spec_error::SpecError;
use crate::spawn::sweep::Alive;
use crate::spawn::valid::ValidSpec;
use crate::spawn::validate::Against;
use crate::spawn::words;
use crate::time::Timestamp;

/// How long a run that has ended may take to be removed by who made it.
const GOING: Duration = Duration::from_secs(5);
/// Until it is looked at again: an engine does not tell everybody of a removal.
const LOOK: Duration = Duration::from_millis(200);

/// How long [`Docker::run`] waits for others who read what its command has said.
const READERS: Duration = Duration::from_secs(3);

/// Characters of a name that are told.
const NAME: usize = 200;

/// Which engine, and what this installation keeps.
#[derive(Clone)]
#[non_exhaustive]
pub struct DockerConfig {
    /// Where the engine listens, and how long to wait for it.
    pub engine: EngineConfig,
    /// Our own folder, `HOME/host`: the owner's secret and the locks. Made with mode 0700 if missing.
    pub folder: PathBuf,
    /// The shim's program for the engine's processor. Without one, what needs it is refused.
    pub shim: Option<Cow<'static, [u8]>>,
    /// Folders in which everything must lie that is bound. `None`: anywhere but where nothing is ever bound.
    pub bind_roots: Option<Vec<PathBuf>>,
    /// An engine behind a TCP port has the files of this machine.
    pub same_files: bool,
}

impl DockerConfig {
    /// The engine that `DOCKER_HOST` names, else `/var/run/docker.sock`; state under `home`; the shim that
    /// `WIRE_SHIM` names, else the one that was built in.
    pub fn from_env(home: &Path) -> Result<Self, SpawnError> {
        let engine = EngineConfig::from_env()?;
        let shim = match std::env::var_os("WIRE_SHIM").filter(|path| !path.is_empty()) {
            None => shim_bytes().map(Cow::Borrowed),
            Some(path) => {
                let path = PathBuf::from(path);
                let unread = |error| InstallationError::Shim(format!("{}: {error}", path.display()));
                Some(Cow::Owned(elf::read(&path).map_err(unread)?))
            }
        };
        Ok(Self { shim, ..Self::new(engine, home.join("host")) })
    }

    /// This engine, state in this folder, and no shim.
    pub fn new(engine: EngineConfig, folder: impl Into<PathBuf>) -> Self {
        Self { engine, folder: folder.into(), shim: None, bind_roots: None, same_files: false }
    }

    /// With this shim.
    #[must_use]
    pub fn shim(mut self, program: impl Into<Cow<'static, [u8]>>) -> Self {
        self.shim = Some(program.into());
        self
    }

    /// Nothing is bound but what lies in one of these folders, after all symbolic links. With none of them,
    /// nothing at all.
    #[must_use]
    pub fn bind_roots<P: Into<PathBuf>>(mut self, roots: impl IntoIterator<Item = P>) -> Self {
        self.bind_roots = Some(roots.into_iter().map(Into::into).collect());
        self
    }

    /// An engine behind a TCP port is on this machine, and has its files: without this word nothing of them is
    /// bound there. An engine at a Unix socket is always taken for one of this machine.
    #[must_use]
    pub const fn same_files(mut self) -> Self {
        self.same_files = true;
        self
    }

    /// Whether paths here are the engine's, as far as can be told.
    pub(super) const fn sees_our_files(&self) -> bool {
        self.same_files || matches!(self.engine.endpoint, Endpoint::Unix(_))
    }
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig")
            .field("engine", &self.engine)
            .field("folder", &self.folder)
            .field("shim", &self.shim.as_ref().map(|program| program.len()))
            .field("bind_roots", &self.bind_roots)
            .field("same_files", &self.same_files)
            .finish()
    }
}

/// A Docker Engine, and this installation's containers on it. Cheap to clone.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    client: Client,
    facts: EngineFacts,
    installation: Installation,
    config: DockerConfig,
    hosts: Option<String>,
    /// What was made through the trait that all runtimes share.
    shared: Shared,
    sessions: Sessions,
    /// The engine's clock minus ours, in milliseconds.
    clock_offset: i64,
    leftovers: Leftovers,
    /// Each removal that goes on by itself holds a receiver.
    removals: watch::Sender<()>,
}

impl Docker {
    /// Asks the engine who it is, and opens our folder. Nothing is made on the engine.
    pub async fn connect(config: DockerConfig) -> Result<Self, SpawnError> {
        let installation = Installation::open(&config.folder)?;
        let client = Client::connect(config.engine.clone()).await?;
        let (facts, engine_now) = client.probe_at().await?;
        let fault = config.shim.as_deref().and_then(|shim| elf::fault(shim, &facts.arch));
        if let Some(fault) = fault {
            return Err(InstallationError::Shim(fault.to_owned()).into());
        }
        let clock_offset = engine_now.signed_since(now());
        let hosts = config.sees_our_files().then(|| installation.hosts_file(HOSTS)).flatten();
        Ok(Self(Arc::new(Inner {
            client,
            facts,
            installation,
            config,
            hosts,
            shared: Shared::default(),
            sessions: Sessions::default(),
            clock_offset,
            leftovers: Leftovers::default(),
            removals: watch::Sender::new(()),
        })))
    }

    /// What the engine is and can enforce.
    pub fn facts(&self) -> &EngineFacts {
        &self.0.facts
    }

    /// The name under which this installation's containers are known to the engine.
    pub fn owner(&self) -> OwnerId {
        self.0.installation.owner()
    }

    /// Makes and starts a container, proves from inside that it is what the spec asks for, and begins its
    /// command. With the same key and spec it is the same container: it is started at most once, by one
    /// process.
    ///
    /// Whatever fails, and if the future is dropped, everything that was made is removed again.
    pub async fn spawn(&self, spec: SpawnSpec) -> Result<Sandbox, SpawnError> {
        let plan = self.plan(spec).await?;
        self.start(&plan).await
    }

    /// The same with what [`plan`](Self::plan) has come to, so that a caller can tell the time that goes
    /// into fetching an image from the time in which something is made.
    pub async fn start(&self, plan: &ValidSpec) -> Result<Sandbox, SpawnError> {
        making::make(self, plan).await
    }

    /// Runs a spec's command to its end, and removes the container, later where others still read what the command
    /// has said. Dropping the future ends and removes it too. A container of the same key that was there before is
    /// waited for, and stays.
    pub async fn run(&self, spec: SpawnSpec) -> Result<Output, SpawnError> {
        let plan = self.plan(spec).await?;
        if plan.argv().is_none() {
            return Err(SpawnError::Spec(vec![SpecError::EmptyCommand]));
        }
        let (sandbox, main) = self.start_and_read(&plan).await?;
        let guard = sandbox.is_new().then(|| Guard::of(self, sandbox.name(), sandbox.id()));
        let output = main?.keep(plan.limits().output).output().await;
        if let Some(guard) = guard {
            if sandbox.is_read(READERS).await {
                guard.remove().await;
            } else {
                let removal = self.removal();
                tokio::spawn(async move {
                    sandbox.is_read(Duration::MAX).await;
                    guard.remove().await;
                    drop(removal);
                });
            }
        }
        Ok(output)
    }

    /// [`start`](Self::start), and its command, read from the beginning. Of one that was found tied to another run,
    /// which removes it at this moment, nothing can be read any more: it is waited for, and made anew.
    pub async fn start_and_read(
        &self,
        plan: &ValidSpec,
    ) -> Result<(Sandbox, Result<Exec, ExecError>), SpawnError> {
        // Which one, and since when it is waited for: to wait for one's turn takes the time that it takes.
        let mut going: Option<(ContainerId, Instant)> = None;
        loop {
            let sandbox = self.start(plan).await?;
            let guard = sandbox.is_new().then(|| Guard::of(self, sandbox.name(), sandbox.id()));
            let main = sandbox.main([0, 0]).await;
            let may_go = guard.is_none() && plan.life().asked.is_tied();
            let known = going.take_if(|(id, _)| id == sandbox.id()).map(|(_, since)| since);
            let since = known.unwrap_or_else(Instant::now);
            if may_go && matches!(main, Err(ExecError::NotRunning)) && since.elapsed() < GOING {
                going = Some((sandbox.id().clone(), since));
                // Its maker removes it, or the next start, if that is gone.
                let removed = self.0.client.wait(sandbox.id(), WaitFor::Removed);
                drop(tokio::time::timeout(LOOK, removed).await);
                continue;
            }
            guard.into_iter().for_each(Guard::keep);
            return Ok((sandbox, main));
        }
    }

    /// Waits until everything is removed that was being made when a future of [`spawn`](Self::spawn) was
    /// dropped. A process that ends before leaves it for the sweep.
    pub async fn settled(&self) {
        self.0.removals.closed().await;
    }

    /// The container of that name or id, if it is ours. An id may be cut to 12 digits or more. The lease of one that
    /// is tied stays with who holds it: [`spawn`](Self::spawn) with its spec takes it over.
    pub async fn get(&self, name_or_id: &str) -> Result<Option<Sandbox>, SpawnError> {
        let found = match self.find(name_or_id).await {
            Err(SpawnError::Engine(EngineError::NotFound(_))) => return Ok(None),
            found => found?,
        };
        let Some(inspect) = found else { return Ok(None) };
        match self.verified(&inspect) {
            Ok((name, labels)) if labels.kind == Kind::Container => {
                Ok(Some(Sandbox::found(self.clone(), name, labels, &inspect)))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// All containers of this installation, in every state.
    pub async fn list(&self) -> Result<Vec<Status>, EngineError> {
        let mut all = Vec::new();
        for listed in self.listed().await? {
            // One that is removed meanwhile is no longer there, and no error.
            match self.0.client.inspect(&listed.id).await {
                Ok(inspect) => all.extend(self.status(&inspect)),
                Err(EngineError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Everything that a spec comes to on this engine now.
    pub async fn plan(&self, spec: SpawnSpec) -> Result<ValidSpec, SpawnError> {
        let image = self.image(spec.image(), spec.pull_policy()).await?;
        let host = host_view::of(self, &spec).await?;
        let against = Against {
            facts: &self.0.facts,
            host: &host,
            image: &image,
            owner: self.owner(),
            now: self.engine_now(),
            fresh: random(),
        };
        spec.validate(&against).map_err(SpawnError::Spec)
    }

    /// Removes a container, and all that this process and the installation's folder have of it. Every removal
    /// comes through here.
    pub(super) async fn remove_container(
        &self,
        name: &str,
        id: &ContainerId,
    ) -> Result<Removed, EngineError> {
        let removed = self.0.client.remove(id, true).await?;
        self.forget(name, id);
        Ok(removed)
    }

    fn forget(&self, name: &str, id: &ContainerId) {
        self.0.shared.forget(id);
        if let Ok(name) = SpawnName::parse(name) {
            self.0.installation.forget(&name.without_pending().unwrap_or(name), id);
        }
    }

    /// The owner's containers, in every state. What is kept here of those that somebody else has removed goes too.
    pub(super) async fn listed(&self) -> Result<Vec<Listed>, EngineError> {
        // Before they are listed: what is made meanwhile is not gone.
        let known = self.0.shared.known().into_iter().map(|id| (String::new(), id));
        let noted = self.0.installation.noted().into_iter().map(|(name, id)| (name.to_string(), id));
        let kept: Vec<_> = known.chain(noted).collect();
        let listed = self.0.client.list(&[("wire.owner", &self.owner().to_hex())]).await?;
        for (name, id) in kept {
            if !listed.iter().any(|listed| listed.id == id) {
                self.forget(&name, &id);
            }
        }
        Ok(listed)
    }

    async fn image(&self, asked: &str, pull: Pull) -> Result<ImageConfig, SpawnError> {
        let missing = || SpawnError::ImageMissing(asked.to_owned());
        let found = match (ImageId::parse(asked), ImageName::parse(asked)) {
            (Ok(id), _) => self.image_json(&id).await,
            (_, Ok(name)) => match (self.image_json(&name).await, pull) {
                (Err(EngineError::NotFound(_)), Pull::Missing) => {
                    match self.0.client.image_pull(&name).await {
                        Err(EngineError::NotFound(_)) => return Err(missing()),
                        Err(EngineError::Server { message: why, .. } | EngineError::BadRequest(why)) => {
                            return Err(SpawnError::Pull { image: asked.to_owned(), why });
                        }
                        pulled => drop(pulled?),
                    }
                    self.image_json(&name).await
                }
                (found, _) => found,
            },
            _ => return Err(SpawnError::Spec(vec![SpecError::Image { name: words::plain(asked, NAME) }])),
        };
        match found {
            Err(EngineError::NotFound(_)) => Err(missing()),
            Err(error) => Err(error.into()),
            Ok(description) => Ok(ImageConfig::parse(&description)?),
        }
    }

    async fn image_json(&self, image: &(impl Segment + ?Sized)) -> Result<Value, EngineError> {
        let image = self.0.client.image_inspect(image).await?;
        Ok(json!({
            "Id": image.id.as_str(), "Os": image.os, "Architecture": image.arch, "Config": image.config,
        }))
    }

    async fn find(&self, name_or_id: &str) -> Result<Option<Inspect>, SpawnError> {
        if let Ok(name) = SpawnName::parse(name_or_id)
            && let Some(inspect) = self.by_name(&name).await?
        {
            return Ok(Some(inspect));
        }
        if let Ok(id) = ContainerId::parse(name_or_id) {
            return Ok(Some(self.0.client.inspect(&id).await?));
        }
        let is_start =
            name_or_id.len() >= 12 && name_or_id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_start {
            return Ok(None);
        }
        let mut fitting = self.listed().await?;
        fitting.retain(|listed| listed.id.as_str().starts_with(name_or_id));
        match fitting.as_slice() {
            [one] => Ok(Some(self.0.client.inspect(&one.id).await?)),
            _ => Ok(None),
        }
    }

    pub(super) async fn by_name(&self, name: &SpawnName) -> Result<Option<Inspect>, EngineError> {
        match self.0.client.inspect_name(name).await {
            Ok(inspect) => Ok(Some(inspect)),
            Err(EngineError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The name and labels of a container, if it is ours; it may still have the name before its start.
    pub(super) fn verified(&self, inspect: &Inspect) -> Result<(SpawnName, Labels), LabelError> {
        let name = SpawnName::parse(&inspect.name).map_err(|_| LabelError::Absent)?;
        let name = name.without_pending().unwrap_or(name);
        let labels = Labels::verify(self.0.installation.secret(), name.as_str(), &inspect.labels)?;
        Ok((name, labels))
    }

    /// Whether it hangs on a process that was here and is gone.
    pub(super) fn is_left(&self, labels: &Labels) -> bool {
        let tied = labels.tied.as_ref().filter(|tied| tied.place == place());
        tied.is_some_and(|tied| self.0.installation.lives(tied.instance) == Alive::No)
    }

    pub(super) fn status(&self, inspect: &Inspect) -> Option<Status> {
        let (name, labels) =
            self.verified(inspect).ok().filter(|(_, labels)| labels.kind == Kind::Container)?;
        let state = inspect.state;
        let expected = Expected::of_labels(&labels, &self.0.facts);
        let mut status = Status::new(inspect.id.clone(), name, state, labels);
        status.image = Some(inspect.image.clone());
        status.relaxed = expected.map(|expected| expected.relaxed).unwrap_or_default();
        status.created = inspect.created;
        status.started = inspect.started_at;
        let known = Known {
            shim: Seen::of(inspect).shim,
            stays: None,
            expires: status.labels.expires,
            asked: Asked::default(),
        };
        status.exit = ending::exit(inspect, ExitReason::Unknown).map(|exit| known.explain(exit));
        Some(status)
    }

    pub(super) async fn shim_volume(&self, image: &ImageId) -> Result<Option<VolumeName>, SpawnError> {
        let Some(shim) = &self.0.config.shim else { return Ok(None) };
        shim_volume::ensure(self, shim, image).await.map(Some)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Held by what is being removed after its future was dropped.
    pub(super) fn removal(&self) -> watch::Receiver<()> {
        self.0.removals.subscribe()
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn installation(&self) -> &Installation {
        &self.0.installation
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(super) fn leftovers(&self) -> &Leftovers {
        &self.0.leftovers
    }

    pub(super) fn config(&self) -> &DockerConfig {
        &self.0.config
    }

    /// Our file for containers without a network, if the engine can see it.
    pub(super) fn hosts(&self) -> Option<&str> {
        self.0.hosts.as_deref()
    }

    pub(super) fn engine_now(&self) -> Timestamp {
        now().offset_millis(self.0.clock_offset)
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("config", &self.0.config).field("owner", &self.owner()).finish()
    }
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

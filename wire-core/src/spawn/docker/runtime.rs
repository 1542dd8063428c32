//! The engine as one of several runtimes: what [`Docker`] does, behind the trait that all share.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::engine::Docker;
use super::exec::Exec;
use super::files::{Caps, FileError};
use super::making;
use super::sandbox::Sandbox;
use super::stdin::ExecStdin;
use crate::spawn::command::{Command, Stdin};
use crate::spawn::error::{EngineError, ExecError, SpawnError};
use crate::spawn::facts::{Enforce, Isolation, RuntimeFacts};
use crate::spawn::ids::{ContainerId, OwnerId};
use crate::spawn::outcome::{ExecEvent, Exit};
use crate::spawn::runtime::{
    Boxed, ExecRuntime, FileRuntime, Running, Runtime, State, StatsRuntime, Status, Stdio, StdioPlan, Usage,
    require,
};
use crate::spawn::valid::ValidSpec;

/// What was made or found through the trait: calls name containers by id alone.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Until they are started.
    specs: Mutex<BTreeMap<ContainerId, ValidSpec>>,
    /// From their start on.
    sandboxes: Mutex<BTreeMap<ContainerId, Arc<Sandbox>>>,
}

impl Shared {
    /// All of them.
    pub(super) fn known(&self) -> Vec<ContainerId> {
        let specs = lock(&self.specs).keys().cloned().collect::<Vec<_>>();
        lock(&self.sandboxes).keys().cloned().chain(specs).collect()
    }

    /// The container is gone.
    pub(super) fn forget(&self, id: &ContainerId) {
        lock(&self.specs).remove(id);
        lock(&self.sandboxes).remove(id);
    }
}

impl Docker {
    /// The container of that id: as it was started here, or as it is found.
    async fn sandbox(&self, id: &ContainerId) -> Result<Arc<Sandbox>, EngineError> {
        if let Some(sandbox) = lock(&self.shared().sandboxes).get(id) {
            return Ok(Arc::clone(sandbox));
        }
        let inspect = self.client().inspect(id).await?;
        let not_ours = |_| EngineError::NotFound(format!("container {id} of this owner"));
        let (name, labels) = self.verified(&inspect).map_err(not_ours)?;
        let found = Arc::new(Sandbox::found(self.clone(), name, labels, &inspect));
        Ok(Arc::clone(lock(&self.shared().sandboxes).entry(id.clone()).or_insert(found)))
    }
}

impl Runtime for Docker {
    fn facts(&self) -> RuntimeFacts {
        let facts = Self::facts(self);
        let held = |yes| if yes { Enforce::Hard } else { Enforce::No };
        RuntimeFacts {
            isolation: Isolation::Container,
            memory: held(facts.limits.memory),
            cpu: held(facts.limits.cpu),
            pids: held(facts.limits.pids),
            // Volumes and a writable root are as large as the disk below them.
            disk: Enforce::No,
            network: Enforce::Hard,
            wall: held(self.config().shim.is_some()),
        }
    }

    fn create<'a>(&'a self, spec: &'a ValidSpec) -> Boxed<'a, Result<ContainerId, SpawnError>> {
        Box::pin(async move {
            require(&Runtime::facts(self), spec)?;
            let id = making::create(self, spec).await?;
            lock(&self.shared().specs).insert(id.clone(), spec.clone());
            Ok(id)
        })
    }

    fn start<'a>(&'a self, id: &'a ContainerId, io: StdioPlan) -> Boxed<'a, Result<Stdio, SpawnError>> {
        Box::pin(async move {
            let spec = lock(&self.shared().specs).remove(id);
            let sandbox = match spec {
                Some(spec) => {
                    let sandbox = Arc::new(making::make(self, &spec).await?);
                    lock(&self.shared().sandboxes).insert(id.clone(), Arc::clone(&sandbox));
                    sandbox
                }
                None => {
                    let inspect = self.client().inspect(id).await?;
                    if inspect.state == State::Created && inspect.started_at.is_none() {
                        return Err(EngineError::NeverStarted.into());
                    }
                    self.sandbox(id).await?
                }
            };
            if !io.stdin && !io.output {
                return Ok(Stdio(None));
            }
            let mut exec = sandbox.main([0, 0]).await?;
            let stdin = exec.stdin().filter(|_| io.stdin);
            Ok(Stdio(Some(Box::new(Held { exec, stdin }))))
        })
    }

    fn stop<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> Boxed<'a, Result<Exit, EngineError>> {
        Box::pin(async move { self.sandbox(id).await?.stop(grace).await })
    }

    fn wait<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Exit, EngineError>> {
        Box::pin(async move { self.sandbox(id).await?.wait().await })
    }

    fn inspect<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Option<Status>, EngineError>> {
        Box::pin(async move {
            match self.client().inspect(id).await {
                Ok(inspect) => Ok(self.status(&inspect)),
                Err(EngineError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn list(&self, owner: OwnerId) -> Boxed<'_, Result<Vec<Status>, EngineError>> {
        // Nobody's labels but one's own can be verified.
        Box::pin(async move { if owner == self.owner() { self.list().await } else { Ok(Vec::new()) } })
    }

    fn remove<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<(), EngineError>> {
        Box::pin(async move {
            match self.client().inspect(id).await {
                Ok(inspect) => self.remove_container(&inspect.name, id).await.map(drop),
                Err(EngineError::NotFound(_)) => {
                    self.shared().forget(id);
                    Ok(())
                }
                Err(error) => Err(error),
            }
        })
    }

    fn exec(&self) -> Option<&dyn ExecRuntime> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileRuntime> {
        Some(self)
    }

    fn stats(&self) -> Option<&dyn StatsRuntime> {
        Some(self)
    }
}

impl ExecRuntime for Docker {
    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        command: &'a Command,
    ) -> Boxed<'a, Result<Box<dyn Running>, ExecError>> {
        Box::pin(async move {
            let mut exec = self.sandbox(id).await?.exec(command.clone()).await?;
            let stdin = if command.stdin == Stdin::Piped { exec.stdin() } else { None };
            Ok(Box::new(Held { exec, stdin }) as Box<dyn Running>)
        })
    }
}

impl FileRuntime for Docker {
    fn put<'a>(
        &'a self,
        id: &'a ContainerId,
        at: &'a str,
        tar: &'a [u8],
    ) -> Boxed<'a, Result<(), ExecError>> {
        Box::pin(async move {
            let archive = Cursor::new(tar.to_vec());
            self.sandbox(id).await?.put(at, archive, Caps::default()).await.map_err(failed)
        })
    }

    fn get<'a>(
        &'a self,
        id: &'a ContainerId,
        at: &'a str,
        most: u64,
    ) -> Boxed<'a, Result<Vec<u8>, ExecError>> {
        Box::pin(async move {
            let caps = Caps { bytes: most, ..Caps::default() };
            let mut packed = self.sandbox(id).await?.get(at, caps).await.map_err(failed)?;
            let mut bytes = Vec::new();
            packed.read_to_end(&mut bytes).await.map_err(|error| ExecError::Files(error.to_string()))?;
            Ok(bytes)
        })
    }
}

impl StatsRuntime for Docker {
    fn stats<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Usage, EngineError>> {
        Box::pin(async move { self.sandbox(id).await?.stats().await })
    }
}

/// A program with its input.
struct Held {
    exec: Exec,
    stdin: Option<ExecStdin>,
}

impl Running for Held {
    fn next(&mut self) -> Boxed<'_, Option<ExecEvent>> {
        Box::pin(self.exec.next())
    }

    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, Result<(), ExecError>> {
        Box::pin(async move {
            match &mut self.stdin {
                Some(stdin) => stdin.write_all(bytes).await,
                None => Err(ExecError::StdinClosed),
            }
        })
    }

    fn close(&mut self) -> Boxed<'_, Result<(), ExecError>> {
        Box::pin(async move {
            match self.stdin.take() {
                Some(stdin) => stdin.close().await,
                None => Ok(()),
            }
        })
    }

    fn kill(&mut self, grace: Duration) -> Boxed<'_, Result<(), ExecError>> {
        Box::pin(async move { self.exec.kill_tree(grace) })
    }
}

fn failed(error: FileError) -> ExecError {
    match error {
        FileError::Exec(error) => error,
        FileError::Engine(error) => error.into(),
        FileError::NotFound(_)
        | FileError::Denied(_)
        | FileError::DeniedHere(_)
        | FileError::Limit(_)
        | FileError::Refused(_)
        | FileError::Full(_)
        | FileError::FullHere(_)
        | FileError::Failed(_)
        | FileError::Path
        | FileError::Source(_)
        | FileError::Ended(_) => ExecError::Files(error.to_string()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

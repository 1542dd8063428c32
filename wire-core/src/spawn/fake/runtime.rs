//! A runtime that runs nothing: what its programs do is a script, and every rule of the trait holds.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{poll_fn, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::crypto::kdf;
use crate::spawn::command::Command;
use crate::spawn::error::{EngineError, ExecError, SpawnError};
use crate::spawn::facts::{Enforce, Isolation, RuntimeFacts};
use crate::spawn::ids::{ContainerId, InstanceId, OwnerId};
use crate::spawn::labels::Place;
use crate::spawn::outcome::{ExecEvent, Exit, ExitReason, Outcome};
use crate::spawn::owner::OwnerSecret;
use crate::spawn::runtime::{Boxed, ExecRuntime, Running, Runtime, State, Status, Stdio, StdioPlan, require};
use crate::spawn::valid::ValidSpec;
use wire_shim::protocol::Stream;

/// A runtime whose programs follow scripts, in the order in which they are started. Without a script left
/// a program ends at once with code 0.
#[derive(Clone)]
pub struct Fake {
    facts: RuntimeFacts,
    inner: Arc<Mutex<Inner>>,
}

/// What a program does.
#[derive(Clone, Debug)]
pub struct Script {
    stdout: Vec<u8>,
    end: Option<Outcome>,
}

impl Script {
    /// It prints this and ends with code 0.
    pub fn printing(stdout: impl Into<Vec<u8>>) -> Self {
        Self { stdout: stdout.into(), end: Some(Outcome::Exited(0)) }
    }

    /// It ends like this instead.
    #[must_use]
    pub fn ending(mut self, outcome: Outcome) -> Self {
        self.end = Some(outcome);
        self
    }

    /// It runs until it is ended instead.
    #[must_use]
    pub fn staying(mut self) -> Self {
        self.end = None;
        self
    }
}

struct Inner {
    secret: OwnerSecret,
    scripts: VecDeque<Script>,
    made: BTreeMap<ContainerId, Status>,
    wakers: Vec<Waker>,
}

impl Fake {
    /// With these scripts, holding every limit.
    pub fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        let hard = Enforce::Hard;
        let facts = RuntimeFacts {
            isolation: Isolation::Container,
            memory: hard,
            cpu: hard,
            pids: hard,
            disk: Enforce::No,
            network: hard,
            wall: hard,
        };
        let inner = Inner {
            secret: OwnerSecret::from_bytes([1; 32]),
            scripts: scripts.into_iter().collect(),
            made: BTreeMap::new(),
            wakers: Vec::new(),
        };
        Self { facts, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Promising this instead.
    #[must_use]
    pub const fn with_facts(mut self, facts: RuntimeFacts) -> Self {
        self.facts = facts;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, spec: &ValidSpec) -> Result<ContainerId, SpawnError> {
        require(&self.facts, spec)?;
        let mut inner = self.lock();
        let instance = InstanceId::from_bytes([3; 16]);
        let labels = spec.container_labels(&inner.secret, instance, Place::new(1, "fake"));
        if let Some(there) = inner.made.values().find(|status| status.name == *spec.name()) {
            let same = there.labels.spec == labels.spec;
            let id = there.id.clone();
            return if same { Ok(id) } else { Err(SpawnError::SpecMismatch { existing: id }) };
        }
        let count = inner.made.len() as u64;
        let hash = kdf::sha256(&[spec.name().as_str().as_bytes(), &count.to_be_bytes()]);
        let id = ContainerId::parse(&data_encoding::HEXLOWER.encode(&hash))
            .map_err(|_| SpawnError::ImageMissing(String::new()))?;
        let status = Status::new(id.clone(), spec.name().clone(), State::Created, labels);
        inner.made.insert(id.clone(), status);
        Ok(id)
    }

    fn begin(&self, id: &ContainerId) -> Result<Program, SpawnError> {
        let mut inner = self.lock();
        let status = inner.made.get_mut(id).ok_or_else(|| EngineError::NotFound(id.to_string()))?;
        if status.state != State::Created {
            return Err(EngineError::Conflict("it was started before".to_owned()).into());
        }
        status.state = State::Running;
        let script = inner.next_script();
        if let Some(end) = &script.end {
            inner.end(id, exit_of(end));
        }
        Ok(Program::new(self.clone(), id.clone(), script, true))
    }
}

impl Inner {
    fn next_script(&mut self) -> Script {
        self.scripts.pop_front().unwrap_or_else(|| Script::printing(""))
    }

    fn ended(&self, id: &ContainerId) -> Poll<Result<Exit, EngineError>> {
        match self.made.get(id) {
            None => Poll::Ready(Err(EngineError::NotFound(id.to_string()))),
            Some(status) => status.exit.clone().map_or(Poll::Pending, |exit| Poll::Ready(Ok(exit))),
        }
    }

    fn end(&mut self, id: &ContainerId, exit: Exit) {
        if let Some(status) = self.made.get_mut(id)
            && status.exit.is_none()
        {
            status.state = State::Exited;
            status.exit = Some(exit);
        }
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Runtime for Fake {
    fn facts(&self) -> RuntimeFacts {
        self.facts
    }

    fn create<'a>(&'a self, spec: &'a ValidSpec) -> Boxed<'a, Result<ContainerId, SpawnError>> {
        Box::pin(ready(self.make(spec)))
    }

    fn start<'a>(&'a self, id: &'a ContainerId, io: StdioPlan) -> Boxed<'a, Result<Stdio, SpawnError>> {
        let program = self.begin(id);
        let wanted = io.stdin || io.output;
        Box::pin(ready(program.map(|p| Stdio(wanted.then(|| Box::new(p) as Box<dyn Running>)))))
    }

    fn stop<'a>(&'a self, id: &'a ContainerId, _: Duration) -> Boxed<'a, Result<Exit, EngineError>> {
        let exit = Exit { reason: ExitReason::Stopped, ..exit_of(&Outcome::Signaled(15)) };
        let mut inner = self.lock();
        if inner.made.get(id).is_some_and(|status| status.state == State::Created) {
            return Box::pin(ready(Err(EngineError::NeverStarted)));
        }
        inner.end(id, exit);
        drop(inner);
        self.wait(id)
    }

    fn wait<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Exit, EngineError>> {
        Box::pin(poll_fn(move |cx| {
            // Under one lock: an end in between would wake nobody.
            let mut inner = self.lock();
            let answer = inner.ended(id);
            if answer.is_pending() {
                inner.wakers.push(cx.waker().clone());
            }
            answer
        }))
    }

    fn inspect<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<Option<Status>, EngineError>> {
        Box::pin(ready(Ok(self.lock().made.get(id).cloned())))
    }

    fn list(&self, owner: OwnerId) -> Boxed<'_, Result<Vec<Status>, EngineError>> {
        let inner = self.lock();
        let mine = owner == inner.secret.owner();
        let all = inner.made.values().filter(|_| mine).cloned().collect();
        Box::pin(ready(Ok(all)))
    }

    fn remove<'a>(&'a self, id: &'a ContainerId) -> Boxed<'a, Result<(), EngineError>> {
        let mut inner = self.lock();
        inner.made.remove(id);
        inner.wakers.drain(..).for_each(Waker::wake);
        Box::pin(ready(Ok(())))
    }

    fn exec(&self) -> Option<&dyn ExecRuntime> {
        Some(self)
    }
}

impl ExecRuntime for Fake {
    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        command: &'a Command,
    ) -> Boxed<'a, Result<Box<dyn Running>, ExecError>> {
        let mut inner = self.lock();
        let state = inner.made.get(id).map(|status| status.state);
        let errors = command.check();
        let answer = match state {
            _ if !errors.is_empty() => Err(ExecError::Command(errors)),
            Some(State::Running) => {
                let program = Program::new(self.clone(), id.clone(), inner.next_script(), false);
                Ok(Box::new(program) as Box<dyn Running>)
            }
            Some(_) => Err(ExecError::NotRunning),
            None => Err(EngineError::NotFound(id.to_string()).into()),
        };
        Box::pin(ready(answer))
    }
}

/// A program of a script: everything that it will say, and its end if that is known.
struct Program {
    fake: Fake,
    id: ContainerId,
    is_main: bool,
    said: VecDeque<ExecEvent>,
    end: Option<Outcome>,
    over: bool,
}

impl Program {
    fn new(fake: Fake, id: ContainerId, script: Script, is_main: bool) -> Self {
        let mut said = VecDeque::from([ExecEvent::Started { pid: Some(2) }]);
        if !script.stdout.is_empty() {
            said.push_back(ExecEvent::Out { stream: Stream::Stdout, offset: 0, bytes: script.stdout });
        }
        Self { fake, id, is_main, said, end: script.end, over: false }
    }

    /// Its own end, or that of its container.
    fn outcome(&self, inner: &Inner) -> Option<Outcome> {
        self.end.clone().or_else(|| match inner.ended(&self.id) {
            Poll::Ready(Ok(exit)) if self.is_main => exit.signal.map(Outcome::Signaled),
            Poll::Ready(Ok(exit)) => Some(Outcome::ContainerGone(exit)),
            Poll::Ready(Err(_)) => Some(Outcome::Lost { why: "the container was removed".to_owned() }),
            Poll::Pending => None,
        })
    }
}

impl Running for Program {
    fn next(&mut self) -> Boxed<'_, Option<ExecEvent>> {
        Box::pin(poll_fn(|cx| {
            if self.over {
                return Poll::Ready(None);
            }
            if let Some(event) = self.said.pop_front() {
                return Poll::Ready(Some(event));
            }
            let mut inner = self.fake.lock();
            let Some(outcome) = self.outcome(&inner) else {
                inner.wakers.push(cx.waker().clone());
                return Poll::Pending;
            };
            drop(inner);
            self.over = true;
            Poll::Ready(Some(ExecEvent::Ended { outcome, oom_seen: false }))
        }))
    }

    fn write<'a>(&'a mut self, _: &'a [u8]) -> Boxed<'a, Result<(), ExecError>> {
        let closed = self.over || self.end.is_some();
        Box::pin(ready(if closed { Err(ExecError::StdinClosed) } else { Ok(()) }))
    }

    fn close(&mut self) -> Boxed<'_, Result<(), ExecError>> {
        Box::pin(ready(Ok(())))
    }

    fn kill(&mut self, _: Duration) -> Boxed<'_, Result<(), ExecError>> {
        let end = self.end.get_or_insert(Outcome::Signaled(15)).clone();
        let mut inner = self.fake.lock();
        if self.is_main {
            inner.end(&self.id, exit_of(&end));
        } else {
            inner.wakers.drain(..).for_each(Waker::wake);
        }
        drop(inner);
        Box::pin(ready(Ok(())))
    }
}

/// A container that ends with a program that ended like this.
fn exit_of(outcome: &Outcome) -> Exit {
    let signal = if let Outcome::Signaled(signal) = outcome { Some(*signal) } else { None };
    Exit {
        code: Some(outcome.exit_code().into()),
        signal,
        oom_seen: matches!(outcome, Outcome::OomKilled { .. }),
        reason: ExitReason::Itself,
        at: None,
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("facts", &self.facts).finish_non_exhaustive()
    }
}

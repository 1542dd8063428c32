//! A container, as its caller holds it: who it is, what it is like inside, its programs. Its state and its end
//! are in [`life`].

mod life;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use wire_shim::protocol::{ExecId, ExecInfo, Life};

use super::client::Client;
use super::described::Inspect;
use super::dial::ShimDial;
use super::ending::{Asked, Known};
use super::engine::Docker;
use super::engine_exec::{EngineExec, Start};
use super::engine_stdin::EngineStdin;
use super::exec::{Exec, ShimExec};
use super::hijack::{ExecStart, Hijacked, Input};
use super::pulse::Pulse;
use super::session::{
    Answer, Ask, Begin, Credit, Dial as _, DialError, Reader, Request, Session, StdinWriter,
};
use super::spool::Spool;
use super::stdin::ExecStdin;
use super::{pump, session};
use crate::entropy::random;
use crate::spawn::attestation::{Attestation, AttestationError, Expected};
use crate::spawn::command::{Command, Signal, Stdin};
use crate::spawn::docker_request::exec_body;
use crate::spawn::error::{EngineError, ExecError, SpawnError};
use crate::spawn::ids::{ContainerId, SpawnName};
use crate::spawn::labels::Labels;
use crate::spawn::lifetime::LEASE;
use crate::spawn::limits::millis;
use crate::spawn::outcome::Output;
use crate::spawn::report::SpawnReport;
use crate::spawn::runtime::ExecStatus;
use crate::spawn::shim_request;
use crate::spawn::spec::User;
use crate::spawn::spec_error::SpecError;
use crate::spawn::valid::ValidSpec;

/// Between two words to a container that is tied to this process.
pub(super) const BEAT: Duration = Duration::from_secs(LEASE.as_secs() / 3);

/// How long the engine may take to see the end of a container whose processes cannot be started any more.
const ENDING: Duration = Duration::from_secs(1);

/// A container of this installation.
///
/// Dropping it ends a container that is tied to this process, by its lease; one with another lifetime
/// goes on, and [`Docker::get`] finds it again.
pub struct Sandbox {
    docker: Docker,
    id: ContainerId,
    name: SpawnName,
    labels: Option<Labels>,
    user: User,
    workdir: String,
    env: BTreeMap<String, String>,
    shim: bool,
    piped: bool,
    /// Whether it outlives its command, if that is known.
    stays: Option<bool>,
    /// It keeps the container's lease, though another handle may do so too.
    holds: bool,
    /// An end that was said here later, in milliseconds since 1970.
    sooner: AtomicU64,
    /// Shared with the talk, which tells of the end too.
    asked: Asked,
    /// Not said by the labels of another version.
    expected: Option<Expected>,
    report: Option<SpawnReport>,
    attestation: Option<Attestation>,
    link: Link,
}

/// How a container is talked with.
pub(super) enum Link {
    /// The talk, once it has begun, and the command's input, until it is taken.
    Shim(Mutex<Option<Session>>, Mutex<Option<Credit>>),
    Plain {
        spool: Arc<Spool>,
        input: Mutex<Option<Input>>,
    },
    /// Found, without the shim: its output is in the engine's log.
    None,
}

impl Link {
    pub(super) fn shim(session: Session) -> Self {
        Self::Shim(Mutex::new(Some(session)), Mutex::new(Some(Credit::new())))
    }

    /// Without the shim: all output is taken from the engine from the first byte on.
    pub(super) fn plain(docker: &Docker, id: &ContainerId, spec: &ValidSpec, streams: Hijacked) -> Self {
        let kept = spec.limits().output;
        let spool = Spool::new(kept.head.saturating_add(kept.tail), spec.overflow());
        pump::start(docker.client().clone(), id.clone(), Arc::clone(&spool), streams.output);
        let input = streams.input.filter(|_| *spec.stdin() != Stdin::Empty);
        Self::Plain { spool, input: Mutex::new(input) }
    }
}

impl Sandbox {
    /// One that was made just now.
    pub(super) fn made(docker: Docker, spec: &ValidSpec, inspect: &Inspect) -> Self {
        let expected = Some(Expected::of(spec, docker.facts()));
        Self {
            id: inspect.id.clone(),
            name: spec.name().clone(),
            labels: None,
            user: spec.user(),
            workdir: spec.workdir().to_owned(),
            env: spec.env().clone(),
            shim: spec.shim(),
            piped: *spec.stdin() == Stdin::Piped,
            stays: Some(spec.stays()),
            holds: spec.life().lease_ms.is_some(),
            sooner: AtomicU64::new(u64::MAX),
            asked: Asked::default(),
            expected,
            report: Some(spec.report()),
            attestation: None,
            link: Link::None,
            docker,
        }
    }

    /// One that was made before, perhaps by another process.
    pub(super) fn found(docker: Docker, name: SpawnName, labels: Labels, inspect: &Inspect) -> Self {
        let seen = super::seen::Seen::of(inspect);
        let expected = Expected::of_labels(&labels, docker.facts());
        let link = if seen.shim { Link::Shim(Mutex::default(), Mutex::default()) } else { Link::None };
        Self {
            id: inspect.id.clone(),
            name,
            labels: Some(labels),
            user: seen.user,
            workdir: seen.workdir,
            env: seen.env,
            shim: seen.shim,
            piped: false,
            stays: None,
            holds: false,
            sooner: AtomicU64::new(u64::MAX),
            asked: Asked::default(),
            expected,
            report: None,
            attestation: None,
            link,
            docker,
        }
    }

    pub(super) fn asked(&self) -> Asked {
        self.asked.clone()
    }

    pub(super) fn set_report(&mut self, report: SpawnReport) {
        self.report = Some(report);
    }

    /// Keeps the lease of a container that is tied, from now on, as whoever made it does.
    pub(super) async fn hold(&mut self) {
        self.holds = true;
        if let Err(error) = self.session("a lease").await {
            tracing::debug!(%error, container = %self.id, "a lease is not held");
        }
    }

    pub(super) fn set_link(&mut self, link: Link, attestation: Option<Attestation>) {
        self.link = link;
        self.attestation = attestation;
    }

    /// Its id.
    pub const fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Its name.
    pub const fn name(&self) -> &SpawnName {
        &self.name
    }

    /// What its spec came to. Of one that another process made, not known.
    pub const fn report(&self) -> Option<&SpawnReport> {
        self.report.as_ref()
    }

    /// What was proved from inside before the command began.
    pub const fn attestation(&self) -> Option<&Attestation> {
        self.attestation.as_ref()
    }

    /// Whether it was made by this call, and not found: by its key, its name or its id.
    pub const fn is_new(&self) -> bool {
        self.labels.is_none()
    }

    /// Whether its first process is the shim.
    pub const fn has_shim(&self) -> bool {
        self.shim
    }

    /// Gives the container's command the input that came with its spec.
    pub(super) async fn feed_main(&self, stdin: &Stdin) {
        let Stdin::Bytes(bytes) = stdin.clone() else { return };
        match &self.link {
            Link::Shim(session, credit) => {
                let session = session.lock().await.clone();
                if let (Some(session), Some(credit)) = (session, credit.lock().await.take()) {
                    session.ask(Ask::Input { exec: ExecId::MAIN, credit: credit.clone() });
                    let writer = StdinWriter::new(session, ExecId::MAIN, credit);
                    give(ExecStdin::shim(writer), bytes);
                }
            }
            Link::Plain { spool, input } => {
                if let Some(input) = input.lock().await.take() {
                    give(ExecStdin::engine(EngineStdin::new(input, spool.over().clone())), bytes);
                }
            }
            Link::None => {}
        }
    }

    /// What the container is like from inside, now. Needs the shim.
    pub async fn attest(&self) -> Result<Attestation, SpawnError> {
        let expected = self.expected.as_ref().ok_or(AttestationError::Unsaid)?;
        let nonce = random();
        let session = self.awake("an attestation").await?;
        let Answer::Evidence(evidence) = session.request(Request::Attest(nonce)).await? else {
            return Err(ExecError::Shim("it answers something else".into()).into());
        };
        Ok(Attestation::read(&evidence, &nonce, expected)?)
    }

    /// Starts a program. Its variables stand on those of the container, its working folder is the
    /// container's if it names none. One of another [user](Command::user) is started by the engine.
    pub async fn exec(&self, command: Command) -> Result<Exec, ExecError> {
        refuse_any(command.check())?;
        // The shim has no right to become somebody else.
        let as_another = command.user.is_some_and(|user| user != self.user);
        if !self.shim || as_another {
            return self.engine_exec(command).await;
        }
        let session = self.awake("a program").await?;
        let id = ExecId::from(random::<16>());
        let spec = Box::new(shim_request::exec(id, &command, &self.env, &self.workdir));
        let credit = (command.stdin != Stdin::Empty).then(Credit::new);
        let (events, heard) = mpsc::unbounded_channel();
        let reading = session.reading();
        session.ask(Ask::Exec {
            spec,
            reader: Reader { reading, hold: true, events },
            stdin: credit.clone(),
        });
        let stdin = credit.map(|credit| StdinWriter::new(session.clone(), id, credit));
        let exec = ShimExec { session, id, reading, events: heard, stdin, pulse: self.pulse() };
        let mut exec = Exec::shim(exec, command.grace, command.output);
        feed(&mut exec, command.stdin);
        Ok(exec)
    }

    /// Runs a program to its end. Dropping the future ends the program, with the shim.
    pub async fn run(&self, command: Command) -> Result<Output, ExecError> {
        let exec = self.exec(command).await?;
        let id = exec.id();
        let output = exec.output().await;
        if let (Some(id), Some(session)) = (id, self.open_session().await) {
            // Nobody will ask for it again: its record and output only take up memory.
            drop(session.request(Request::Forget(id)).await);
        }
        Ok(output)
    }

    /// The container's own command: its output from these offsets of standard output and standard error
    /// on, its input once if it was asked for, its end. Dropping what this gives ends nothing.
    pub async fn main(&self, from: [u64; 2]) -> Result<Exec, ExecError> {
        match &self.link {
            Link::Shim(_, credit) => {
                let credit = credit.lock().await.take().filter(|_| self.piped);
                self.attach_with(ExecId::MAIN, from, credit).await
            }
            Link::Plain { spool, input } => {
                let input = input.lock().await.take();
                Ok(Exec::spool(spool.read(from, true), input, self.docker.client().clone(), self.id.clone()))
            }
            Link::None => Err(ExecError::Unsupported { what: "reading the output of a found container" }),
        }
    }

    /// Reads a program that was started before, by whomever. Dropping what this gives ends nothing. Under
    /// [`Overflow::Block`](crate::spawn::Overflow) a program waits for each of its readers: do not keep one that is not
    /// read.
    pub async fn attach(&self, exec: ExecId, from: [u64; 2]) -> Result<Exec, ExecError> {
        self.attach_with(exec, from, None).await
    }

    async fn attach_with(
        &self,
        id: ExecId,
        from: [u64; 2],
        credit: Option<Credit>,
    ) -> Result<Exec, ExecError> {
        let session = self.awake("attaching").await?;
        let (events, heard) = mpsc::unbounded_channel();
        let reading = session.reading();
        let reader = Reader { reading, hold: true, events };
        session.ask(Ask::Attach { exec: id, from, reader, stdin: credit.clone() });
        let stdin = credit.map(|credit| StdinWriter::new(session.clone(), id, credit));
        let pulse = self.pulse();
        Ok(Exec::attached(ShimExec { session, id, reading, events: heard, stdin, pulse }))
    }

    /// The programs that run, and those that ended and are not forgotten. Needs the shim.
    pub async fn execs(&self) -> Result<Vec<ExecStatus>, ExecError> {
        match self.awake("a list of programs").await?.request(Request::List).await? {
            Answer::Listed(execs) => Ok(execs.into_iter().map(listed).collect()),
            Answer::Done | Answer::Evidence(_) => Err(ExecError::Shim("it answers something else".into())),
        }
    }

    /// Drops the record and the output of a program that has ended. Needs the shim.
    pub async fn forget(&self, exec: ExecId) -> Result<(), ExecError> {
        self.awake("forgetting a program").await?.request(Request::Forget(exec)).await.map(drop)
    }

    /// Another end, so long from now, kept by the shim. Never later than the end that was said at the start, by
    /// which others sweep: whoever cannot tell yet says a late one then, and an earlier one here. A lease stays.
    pub async fn end_after(&self, life: Duration) -> Result<(), ExecError> {
        let now = self.docker.engine_now();
        let ms = self.said_end().map_or(u64::MAX, |end| end.since(now)).min(millis(life));
        let life = Life { deadline_ms: Some(ms), lease_ms: None };
        self.awake("a deadline").await?.request(Request::Extend(life)).await?;
        self.sooner.store(now.as_millis().saturating_add(ms), Ordering::Relaxed);
        Ok(())
    }

    /// Sends a signal to the container's command.
    pub async fn signal(&self, signal: Signal) -> Result<(), ExecError> {
        if self.shim {
            let request = Request::Signal { exec: ExecId::MAIN, signal: signal.number(), tree: false };
            return self.awake("a signal").await?.request(request).await.map(drop);
        }
        match self.docker.client().kill(&self.id, signal).await {
            Err(EngineError::Conflict(_)) => Err(ExecError::NotRunning),
            sent => Ok(sent?),
        }
    }

    pub(super) const fn user(&self) -> User {
        self.user
    }

    pub(super) fn client(&self) -> &Client {
        self.docker.client()
    }

    /// The talk with the shim; of a found container it begins now. One that has ended, because the container was
    /// out of reach for too long, begins anew.
    pub(super) async fn session(&self, what: &'static str) -> Result<Session, ExecError> {
        let Link::Shim(session, _) = &self.link else { return Err(ExecError::Unsupported { what }) };
        let mut there = session.lock().await;
        if let Some(session) = there.as_ref().filter(|session| session.is_open()) {
            return Ok(session.clone());
        }
        let session = self.docker.sessions().get(&self.id, self.holds, self.join()).await?;
        Ok(there.insert(session).clone())
    }

    /// The talk, if there is one.
    async fn open_session(&self) -> Option<Session> {
        let Link::Shim(session, _) = &self.link else { return None };
        session.lock().await.clone().filter(Session::is_open)
    }

    async fn join(&self) -> Result<Session, ExecError> {
        let dial = self.dial();
        let io = dial.dial().await.map_err(|error| match error {
            DialError::Gone(_) => ExecError::NotRunning,
            DialError::Engine(EngineError::Conflict(words)) if words.contains("paused") => ExecError::Paused,
            DialError::Engine(error) => error.into(),
        })?;
        let token = self.docker.installation().secret().shim_token(&self.name);
        let beat = self.holds.then_some(BEAT);
        match Session::begin(io, Begin::Join(token.clone()), dial, token, beat).await {
            // What the engine says of a container that ends at this moment is nothing of the shim's, and comes
            // before the engine's own word for it.
            Err(ExecError::Shim(_)) if self.ends(ENDING).await => Err(ExecError::NotRunning),
            begun => Ok(begun?.0),
        }
    }

    /// The talk with a shim that can answer.
    async fn awake(&self, what: &'static str) -> Result<Session, ExecError> {
        let session = self.session(what).await?;
        self.pulse().awake().await?;
        Ok(session)
    }

    fn pulse(&self) -> Pulse {
        Pulse { client: self.docker.client().clone(), container: self.id.clone() }
    }

    /// What tells why it ended.
    fn known(&self) -> Known {
        Known { shim: self.shim, stays: self.stays, expires: self.expires(), asked: self.asked.clone() }
    }

    fn dial(&self) -> ShimDial {
        let (client, container) = (self.docker.client().clone(), self.id.clone());
        ShimDial { client, container, user: self.user, known: self.known() }
    }

    async fn engine_exec(&self, mut command: Command) -> Result<Exec, ExecError> {
        if self.shim {
            // The shim has the container's variables, and not the engine.
            let own = self.env.iter().map(|(name, value)| (name.clone(), value.clone()));
            command.env = own.chain(command.env).collect();
        }
        if command.timeout.is_some() {
            return Err(ExecError::Unsupported { what: "a limit of time" });
        }
        if command.tied {
            return Err(ExecError::Unsupported { what: "ending a program with its readers" });
        }
        let cwd = command.cwd.clone().unwrap_or_else(|| self.workdir.clone());
        let body = exec_body(self.user, &cwd, &command);
        let how = ExecStart { stdin: command.stdin != Stdin::Empty, tty: command.tty.is_some() };
        let kept = command.output.head.saturating_add(command.output.tail);
        let (overflow, tty, known) = (command.overflow, command.tty, self.known());
        let start = Start { body: &body, how, kept, overflow, tty, known };
        let exec = EngineExec::start(self.docker.client(), &self.id, start).await?;
        let mut exec = Exec::engine(exec, command.output);
        feed(&mut exec, command.stdin);
        Ok(exec)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

fn listed(exec: ExecInfo) -> ExecStatus {
    ExecStatus {
        id: exec.id,
        outcome: exec.end.as_ref().map(session::outcome),
        tag: exec.tag,
        pid: exec.pid,
        stdout: exec.stdout,
        stderr: exec.stderr,
        age: Duration::from_millis(exec.age_ms),
    }
}

fn refuse_any(errors: Vec<SpecError>) -> Result<(), ExecError> {
    if errors.is_empty() { Ok(()) } else { Err(ExecError::Command(errors)) }
}

/// Gives a program its whole input while its output is read.
fn feed(exec: &mut Exec, stdin: Stdin) {
    let Stdin::Bytes(bytes) = stdin else { return };
    if let Some(input) = exec.stdin() {
        give(input, bytes);
    }
}

fn give(mut input: ExecStdin, bytes: Vec<u8>) {
    #[expect(clippy::disallowed_methods, reason = "it ends with the program's input")]
    tokio::spawn(async move {
        // A program that takes no more is none of our failures.
        if input.write_all(&bytes).await.is_ok() {
            drop(input.close().await);
        }
    });
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    #[expect(clippy::disallowed_methods, reason = "an adapter")]
    tokio::time::timeout(limit, future).await.ok()
}

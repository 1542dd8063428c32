//! From a valid spec to a running container whose command has begun.
//!
//! 1. One process of this machine at a time makes a container of a name, and of a key.
//! 2. What has the name already is adopted if it is the same spec of the same owner, and refused if not.
//! 3. `create` under the name before the start, then `rename`: whoever renames may start, and nobody
//!    starts what was ever started. What a killed maker started and never gave its command is made anew.
//! 4. Read back what the engine made of the request, attach, start, and read back again: without the shim the
//!    start is the command's.
//! 5. The shim gets its configuration and answers with its evidence, before the command begins.
//! 6. What does not hold, or fails anywhere, is removed with everything that was made.

#![expect(clippy::disallowed_methods, reason = "an adapter: it waits for what another maker has left")]

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::added_group;
use super::containers::Removed;
use super::described::Inspect;
use super::dial::{self, ShimDial};
use super::ending::{Asked, Known};
use super::engine::Docker;
use super::hijack::{Attach, Hijacked};
use super::installation::place;
use super::leftover::{Guard, LATE};
use super::named_volumes::NewVolumes;
use super::sandbox::{BEAT, Link, Sandbox};
use super::session::{Begin, Session};
use super::turn::{Stage, Turn};
use super::turns::{Turns, leave};
use crate::entropy::random;
use crate::spawn::attestation::{Attestation, Expected};
use crate::spawn::command::Stdin;
use crate::spawn::docker_request::{Parts, create_body};
use crate::spawn::error::{EngineError, Retry, SpawnError};
use crate::spawn::ids::{ContainerId, VolumeName};
use crate::spawn::labels::{KEY, Kind, Labels, TiedUntil};
use crate::spawn::readback;
use crate::spawn::report::{SpawnReport, Timings};
use crate::spawn::runtime::State;
use crate::spawn::seccomp::{self, Arch};
use crate::spawn::shim_request;
use crate::spawn::valid::ValidSpec;

/// Between two looks at what the engine is making.
const PAUSE: Duration = Duration::from_millis(20);

/// The most processes before the first program: the shim, its attestor, and what that tries things in.
const BEFORE_PROGRAMS: u32 = 8;

/// What makes a container is a task of its own: a caller that goes away leaves nothing half-made.
pub(super) async fn make(docker: &Docker, spec: &ValidSpec) -> Result<Sandbox, SpawnError> {
    let (give, taken) = oneshot::channel();
    // It ends with what it makes, or with its caller.
    tokio::spawn(work(docker.clone(), spec.clone(), give));
    taken.await.unwrap_or(Err(SpawnError::StartFailed {
        stage: "its task",
        cleaned: false,
        detail: "it was ended before it was done".to_owned(),
    }))
}

/// The container under its own name, made or found, and not started here.
pub(super) async fn create(docker: &Docker, spec: &ValidSpec) -> Result<ContainerId, SpawnError> {
    let turns = Turns::of(docker, spec).await?;
    let mut volumes = NewVolumes::default();
    match prepare(docker, spec, &turns.name, &mut volumes).await {
        Ok(Prepared::Started(sandbox)) => Ok(sandbox.id().clone()),
        Ok(Prepared::NotStarted(made, guard)) => {
            guard.keep();
            Ok(made.id)
        }
        Err(error) => {
            volumes.remove(docker).await;
            leave(docker, turns.name).await;
            Err(error)
        }
    }
}

/// Refuses a key that a container of another name has.
async fn check_key(docker: &Docker, spec: &ValidSpec) -> Result<(), SpawnError> {
    let owner = docker.owner().to_hex();
    let same_key = docker.client().list(&[("wire.owner", &owner), (KEY, spec.key())]).await?;
    for listed in same_key {
        let inspect = match docker.client().inspect(&listed.id).await {
            Err(EngineError::NotFound(_)) => continue,
            inspect => inspect?,
        };
        let Ok((name, labels)) = docker.verified(&inspect) else { continue };
        // Under the name before its start it is the one that is to be made.
        let is_another = labels.kind == Kind::Container && name != *spec.name();
        let is_going = matches!(inspect.state, State::Removing | State::Dead);
        if is_another && !is_going && !is_left_over(docker, inspect.state, &labels) {
            return Err(SpawnError::SpecMismatch { existing: inspect.id });
        }
    }
    Ok(())
}

/// Its maker is gone, and nobody ever started it, or it was that one's alone and has ended: a sweep finds it.
fn is_left_over(docker: &Docker, state: State, labels: &Labels) -> bool {
    let until_end = labels.tied.as_ref().is_some_and(|tied| tied.until == TiedUntil::End);
    let is_over = state == State::Created || (state == State::Exited && until_end);
    is_over && docker.is_left(labels)
}

type Caller = oneshot::Sender<Result<Sandbox, SpawnError>>;

async fn work(docker: Docker, spec: ValidSpec, mut caller: Caller) {
    let _settled = docker.removal();
    let turns = tokio::select! {
        turns = Turns::of(&docker, &spec) => turns,
        () = caller.closed() => return,
    };
    let turns = match turns {
        Ok(turns) => turns,
        Err(error) => return drop(caller.send(Err(error.into()))),
    };
    // The turn is kept to the end: whoever comes next finds all of it, or nothing.
    match made(&docker, &spec, &turns.name, &mut caller).await {
        Err(error) => {
            leave(&docker, turns.name).await;
            drop(caller.send(Err(error)));
        }
        Ok(sandbox) => {
            // Given to nobody. One that was there before stays as it was.
            if let Err(Ok(sandbox)) = caller.send(Ok(sandbox))
                && sandbox.is_new()
            {
                Guard::of(&docker, sandbox.name(), sandbox.id()).remove().await;
                leave(&docker, turns.name).await;
            }
        }
    }
}

async fn made(
    docker: &Docker,
    spec: &ValidSpec,
    turn: &Turn,
    caller: &mut Caller,
) -> Result<Sandbox, SpawnError> {
    let mut volumes = NewVolumes::default();
    let made = made_with(docker, spec, turn, caller, &mut volumes).await;
    if made.is_err() {
        volumes.remove(docker).await;
    }
    made
}

async fn made_with(
    docker: &Docker,
    spec: &ValidSpec,
    turn: &Turn,
    caller: &mut Caller,
    volumes: &mut NewVolumes,
) -> Result<Sandbox, SpawnError> {
    let begun = Instant::now();
    let (made, guard) = match prepare(docker, spec, turn, volumes).await? {
        Prepared::NotStarted(made, guard) => (made, guard),
        Prepared::Started(mut sandbox) => {
            if spec.life().asked.is_tied() {
                sandbox.hold().await;
            }
            return Ok(*sandbox);
        }
    };
    let created = begun.elapsed();
    let begun = tokio::select! {
        begun = begin(docker, spec, &made, turn, created) => begun,
        () = caller.closed() => Err(gone()),
    };
    match begun {
        Ok(sandbox) => {
            guard.keep();
            Ok(sandbox)
        }
        Err(error) => {
            let cleaned = guard.remove().await;
            Err(if let SpawnError::StartFailed { stage, detail, .. } = error {
                SpawnError::StartFailed { stage, cleaned, detail }
            } else {
                error
            })
        }
    }
}

/// Heard by nobody.
fn gone() -> SpawnError {
    let detail = "its caller is gone".to_owned();
    SpawnError::StartFailed { stage: "the start", cleaned: true, detail }
}

/// A container of the spec's name: found, or made and never started.
async fn prepare(
    docker: &Docker,
    spec: &ValidSpec,
    turn: &Turn,
    volumes: &mut NewVolumes,
) -> Result<Prepared, SpawnError> {
    let volume = if spec.shim() { docker.shim_volume(spec.image()).await? } else { None };
    loop {
        let Some(inspect) = docker.by_name(spec.name()).await? else {
            check_key(docker, spec).await?;
            volumes.ensure(docker, spec).await?;
            let (made, guard) = new(docker, spec, volume.as_ref(), turn).await?;
            return Ok(Prepared::NotStarted(made, guard));
        };
        match adopt(docker, spec, volume.as_ref(), inspect, turn)? {
            Adopted::Running(sandbox) => return Ok(Prepared::Started(sandbox)),
            Adopted::NotStarted(made) => {
                let mut guard = Guard::new(docker, spec.name(), Some(turn));
                guard.made(&made.id);
                return Ok(Prepared::NotStarted(made, guard));
            }
            Adopted::Leftover(id) => drop(docker.remove_container(spec.name().as_str(), &id).await?),
        }
    }
}

/// A container of the spec's name.
enum Prepared {
    /// It was started before, by whomever.
    Started(Box<Sandbox>),
    /// It was never started.
    NotStarted(Made, Guard),
}

/// A container that was never started, and what it was made from.
struct Made {
    id: ContainerId,
    body: Value,
}

enum Adopted {
    /// It was started before, by whomever.
    Running(Box<Sandbox>),
    /// Its maker went before it could start it.
    NotStarted(Made),
    /// Its maker went before it could give it its command, which comes from nobody else; or it hangs on a
    /// maker that is not this process; or it is what is left of one of another spec.
    Leftover(ContainerId),
}

/// A container that has the name already.
fn adopt(
    docker: &Docker,
    spec: &ValidSpec,
    volume: Option<&VolumeName>,
    inspect: Inspect,
    turn: &Turn,
) -> Result<Adopted, SpawnError> {
    let Ok((name, labels)) = docker.verified(&inspect) else { return Err(SpawnError::NameTaken) };
    let is_same = labels.spec == Some(spec.digest(docker.installation().secret()));
    // Of one that never ran more is known, below, where it is the same.
    if is_left_over(docker, inspect.state, &labels) && !(is_same && inspect.state == State::Created) {
        return Ok(Adopted::Leftover(inspect.id));
    }
    if !is_same {
        return Err(SpawnError::SpecMismatch { existing: inspect.id });
    }
    let stage = turn.noted().filter(|note| note.container == inspect.id).map(|note| note.stage);
    if inspect.state == State::Created && inspect.started_at.is_none() {
        if stage == Some(Stage::Begun) {
            return Err(SpawnError::StartFailed {
                stage: "start",
                cleaned: false,
                detail: "the engine has lost its record of the start, and the command may have run"
                    .to_owned(),
            });
        }
        let of_another =
            labels.tied.as_ref().is_some_and(|tied| *tied != docker.installation().tied(tied.until));
        if of_another {
            // It would be swept as that one's, perhaps before it is started here.
            return Ok(Adopted::Leftover(inspect.id));
        }
        let body = request(docker, spec, &labels, volume, docker.hosts())?;
        return Ok(Adopted::NotStarted(Made { id: inspect.id, body }));
    }
    if stage == Some(Stage::Started) {
        return Ok(Adopted::Leftover(inspect.id));
    }
    let mut sandbox = Sandbox::found(docker.clone(), name, labels, &inspect);
    // Of what was found the end was said long ago.
    sandbox.set_report(SpawnReport { expires: sandbox.expires(), ..spec.report() });
    Ok(Adopted::Running(Box::new(sandbox)))
}

/// The engine's request for this spec with these labels.
fn request(
    docker: &Docker,
    spec: &ValidSpec,
    labels: &Labels,
    volume: Option<&VolumeName>,
    hosts: Option<&str>,
) -> Result<Value, SpawnError> {
    let labels = labels.sign(docker.installation().secret(), spec.name().as_str());
    let arch = Arch::from_name(spec.arch())
        .ok_or_else(|| SpawnError::Unenforceable(vec![format!("seccomp on {}", spec.arch())]))?;
    let profile = seccomp::profile(arch).to_string();
    let parts =
        Parts { labels: &labels, seccomp: &profile, shim_volume: volume.map(VolumeName::as_str), hosts };
    create_body(spec, &parts).map_err(|error| SpawnError::Spec(vec![error]))
}

/// Creates it under the name before the start, and renames it.
async fn new(
    docker: &Docker,
    spec: &ValidSpec,
    volume: Option<&VolumeName>,
    turn: &Turn,
) -> Result<(Made, Guard), SpawnError> {
    let installation = docker.installation();
    let mut labels = spec.container_labels(installation.secret(), installation.instance(), place());
    labels.expected = Some(Expected::of(spec, docker.facts()).to_label());
    let pending = spec.name().pending();
    let mut hosts = docker.hosts();
    let late = Instant::now() + LATE;
    let mut guard = Guard::new(docker, &pending, Some(turn));
    let (id, body) = loop {
        let body = request(docker, spec, &labels, volume, hosts)?;
        match docker.client().create(&pending, &body).await {
            Ok(created) => break (created.id, body),
            // The engine does not see our files: it is elsewhere. It sets the network up by itself then.
            Err(EngineError::BadRequest(words)) if hosts.is_some() && words.contains("bind source") => {
                hosts = None;
            }
            // Left by a maker that is gone, since it is our turn; or somebody else's, and then not ours to
            // remove.
            Err(EngineError::Conflict(_)) if Instant::now() < late => {
                let Some(left) = docker.by_name(&pending).await? else {
                    // A killed maker's request, at which the engine is still at work: it has the name from
                    // its beginning on, and is seen from its end on.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                match adopt(docker, spec, volume, left, turn)? {
                    Adopted::NotStarted(made) => break (made.id, made.body),
                    Adopted::Leftover(id) => {
                        // Underway, if somebody else removes it too.
                        if docker.remove_container(pending.as_str(), &id).await? != Removed::Now {
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                    Adopted::Running(_) => {
                        guard.keep();
                        return Err(SpawnError::NameTaken);
                    }
                }
            }
            Err(error) => {
                // Only what the engine did not answer may have been carried out.
                if error.retry() != Retry::OnlyIfIdempotent {
                    guard.keep();
                }
                let missing = matches!(error, EngineError::NotFound(_));
                return Err(if missing {
                    SpawnError::ImageMissing(spec.image().to_string())
                } else {
                    error.into()
                });
            }
        }
    };
    guard.made(&id);
    match docker.client().rename(&id, spec.name()).await {
        Ok(()) => Ok((Made { id, body }, guard)),
        Err(error) => {
            guard.remove().await;
            let taken = matches!(error, EngineError::Conflict(_));
            Err(if taken { SpawnError::NameTaken } else { error.into() })
        }
    }
}

/// Starts it, and has the shim begin the command once everything is proved.
async fn begin(
    docker: &Docker,
    spec: &ValidSpec,
    made: &Made,
    turn: &Turn,
    created: Duration,
) -> Result<Sandbox, SpawnError> {
    let before = Instant::now();
    let id = &made.id;
    let client = docker.client();
    if !spec.shim() {
        added_group::refuse(docker, spec, id).await?;
    }
    read_back(docker, made).await?;
    let tty = spec.tty().filter(|_| !spec.shim());
    let stdin = spec.shim() || *spec.stdin() != Stdin::Empty;
    let streams = client.attach(id, Attach { stdin, tty: tty.is_some(), logs: false }).await?;
    turn.note(if spec.shim() { Stage::Started } else { Stage::Plain }, id)?;
    if let Err(error) = client.start(id).await {
        return Err(if let EngineError::BadRequest(detail) | EngineError::NotFound(detail) = error {
            SpawnError::StartFailed { stage: "start", cleaned: false, detail }
        } else {
            error.into()
        });
    }
    if let Some(size) = tty {
        // Only what runs has a size, and it may have ended already.
        if let Err(error) = client.resize(id, size).await {
            tracing::debug!(?error, "its terminal has no size");
        }
    }
    let inspect = read_back(docker, made).await?;
    let mut sandbox = Sandbox::made(docker.clone(), spec, &inspect);
    let started = before.elapsed();
    if spec.shim() {
        turn.note(Stage::Begun, id)?;
        let (session, attestation) = configure(docker, spec, id, streams, sandbox.asked()).await?;
        docker.sessions().share(id, &session).await;
        sandbox.set_link(Link::shim(session), Some(attestation));
    } else {
        sandbox.set_link(Link::plain(docker, id, spec, streams), None);
    }
    let timings = Timings { created, started, proved: before.elapsed().saturating_sub(started) };
    sandbox.set_report(SpawnReport { timings: Some(timings), ..spec.report() });
    sandbox.feed_main(spec.stdin()).await;
    Ok(sandbox)
}

/// What the engine made of the request, if that is what was asked for.
async fn read_back(docker: &Docker, made: &Made) -> Result<Inspect, SpawnError> {
    let (inspect, whole) = docker.client().inspect_whole(&made.id).await?;
    let mismatches = readback::compare(&made.body, &whole);
    if mismatches.is_empty() { Ok(inspect) } else { Err(SpawnError::ReadBack(mismatches)) }
}

/// Tells the shim what to run, and judges what it has seen before.
async fn configure(
    docker: &Docker,
    spec: &ValidSpec,
    id: &ContainerId,
    streams: Hijacked,
    asked: Asked,
) -> Result<(Session, Attestation), SpawnError> {
    let nonce = random();
    let token = docker.installation().secret().shim_token(spec.name());
    let setup = shim_request::setup(spec, docker.installation().secret(), Some(nonce));
    let stays = Some(spec.stays());
    let known = Known { shim: true, stays, expires: spec.report().expires, asked };
    let dial = ShimDial { client: docker.client().clone(), container: id.clone(), user: spec.user(), known };
    let beat = spec.life().lease_ms.map(|_| BEAT);
    let begun = Session::begin(dial::io(streams)?, Begin::Configure(Box::new(setup)), dial, token, beat);
    let (session, evidence) = begun.await.map_err(|error| SpawnError::StartFailed {
        stage: "the shim",
        cleaned: false,
        detail: error.to_string(),
    })?;
    let expected = Expected { processes: Some(BEFORE_PROGRAMS), ..Expected::of(spec, docker.facts()) };
    let attestation = Attestation::read(&evidence, &nonce, &expected)?;
    if attestation.holds() {
        Ok((session, attestation))
    } else {
        Err(SpawnError::Unproved(Box::new(attestation)))
    }
}

//! `wire ps`: what there is, after what nobody needs is removed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wire_core::spawn::docker::{Docker, Sandbox, Swept};
use wire_core::spawn::sweep::Reason;
use wire_core::spawn::{ExecId, ExecStatus, State, Status};

use super::docs::{ContainerDoc, OutcomeDoc, table};
use super::{engine, find};
use crate::cli::PsArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::{escape, escape_block};

#[derive(Serialize)]
struct PsDoc {
    containers: Vec<ContainerDoc>,
    swept: Vec<SweptDoc>,
    /// The versions of the engine's parts, by their names.
    engine: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SweptDoc {
    name: String,
    why: &'static str,
}

#[derive(Serialize)]
struct OneDoc {
    #[serde(flatten)]
    container: ContainerDoc,
    /// None without the shim, and of one that does not run.
    programs: Option<Vec<ProgramDoc>>,
    attestation: Option<Value>,
}

#[derive(Serialize)]
struct ProgramDoc {
    exec: String,
    tag: String,
    pid: Option<u32>,
    stdout: u64,
    stderr: u64,
    age_ms: u128,
    end: Option<OutcomeDoc>,
}

pub(crate) async fn run(ctx: &Ctx, args: &PsArgs) -> Result<u8, Failure> {
    let docker = engine(ctx).await?;
    match &args.id {
        None => ctx.stop.or(list(ctx, &docker, args.all)).await,
        Some(id) => ctx.stop.or(one(ctx, &docker, id, args.attest)).await,
    }
}

async fn list(ctx: &Ctx, docker: &Docker, all: bool) -> Result<u8, Failure> {
    let swept = sweep(ctx, docker).await?;
    let mut statuses = docker.list().await?;
    statuses.retain(|status| all || is_alive(status.state));
    statuses.sort_by_key(|status| status.created);
    let images = images(docker, !statuses.is_empty()).await?;
    let containers: Vec<_> = statuses.iter().map(|status| shown(status, &images)).collect();
    let engine = docker.facts().components.clone();
    ctx.out.show(&PsDoc { containers, swept, engine }, |doc| {
        if doc.containers.is_empty() {
            return "no containers    next: wire spawn IMAGE".to_owned();
        }
        let rows: Vec<_> = doc.containers.iter().map(ContainerDoc::row).collect();
        table(ContainerDoc::HEAD, &rows)
    })?;
    Ok(exit::OK)
}

async fn one(ctx: &Ctx, docker: &Docker, id: &str, attest: bool) -> Result<u8, Failure> {
    let sandbox = find(docker, id).await?;
    let status = sandbox.status().await?;
    let container = shown(&status, &images(docker, true).await?);
    let programs = match status.state {
        State::Running if sandbox.has_shim() => Some(programs(&sandbox).await?),
        _ => None,
    };
    let attestation = if attest { Some(sandbox.attest().await?) } else { None };
    let proof = attestation.as_ref().map(ToString::to_string);
    let holds = attestation.as_ref().is_none_or(wire_core::spawn::Attestation::holds);
    let attestation = attestation.map(|attestation| attestation.to_json());
    ctx.out.show(&OneDoc { container, programs, attestation }, |doc| {
        let mut lines = doc.container.lines();
        if let Some(programs) = doc.programs.as_ref().filter(|programs| !programs.is_empty()) {
            let rows: Vec<_> = programs.iter().map(ProgramDoc::row).collect();
            lines.extend([String::new(), table(ProgramDoc::HEAD, &rows)]);
        }
        lines.extend(proof.iter().flat_map(|proof| [String::new(), escape_block(proof.trim_end())]));
        lines.join("\n")
    })?;
    if !holds {
        ctx.out.note("the container is not as it was asked for: do not trust it");
        return Ok(exit::REFUSED);
    }
    Ok(exit::OK)
}

/// Removes what nobody needs, and says so.
async fn sweep(ctx: &Ctx, docker: &Docker) -> Result<Vec<SweptDoc>, Failure> {
    let swept = docker.sweep(false).await?;
    let doc = |swept: Swept| SweptDoc { name: swept.name, why: why(swept.reason) };
    let docs: Vec<_> = swept.into_iter().filter(|swept| swept.removed).map(doc).collect();
    for doc in &docs {
        ctx.out.note(format!("removed {}: {}", doc.name, doc.why));
    }
    Ok(docs)
}

const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Expired => "its time was over",
        Reason::Orphan => "the process that it was made for is gone",
        Reason::NeverStarted => "it was never started, and its maker is gone",
        Reason::Dead => "the engine had failed to remove it",
        _ => "nobody needs it",
    }
}

async fn programs(sandbox: &Sandbox) -> Result<Vec<ProgramDoc>, Failure> {
    Ok(sandbox.execs().await?.into_iter().map(ProgramDoc::from).collect())
}

/// The names of images, by their ids.
async fn images(docker: &Docker, needed: bool) -> Result<BTreeMap<String, String>, Failure> {
    if !needed {
        return Ok(BTreeMap::new());
    }
    let images = docker.images().await?.into_iter();
    Ok(images.filter_map(|image| Some((image.id.to_string(), image.tags.into_iter().next()?))).collect())
}

fn shown(status: &Status, images: &BTreeMap<String, String>) -> ContainerDoc {
    let id = status.image.as_ref().map(ToString::to_string);
    // Its beginning is what people know an image without a name by.
    let name = id.map(|id| images.get(&id).cloned().unwrap_or_else(|| id.chars().take(19).collect()));
    ContainerDoc::new(status, name)
}

const fn is_alive(state: State) -> bool {
    matches!(state, State::Running | State::Paused | State::Restarting | State::Removing)
}

impl ProgramDoc {
    const HEAD: [&'static str; 5] = ["PROGRAM", "NAME", "STATE", "AGE", "SAID"];

    fn row(&self) -> [String; 5] {
        let state = match (&self.end, self.pid) {
            (Some(end), _) => end.word(),
            (None, Some(pid)) => format!("runs as {pid}"),
            (None, None) => "starting".to_owned(),
        };
        let said = format!("{} + {} bytes", self.stdout, self.stderr);
        [self.exec.clone(), escape(&self.tag), state, format!("{} s", self.age_ms / 1000), said]
    }
}

impl From<ExecStatus> for ProgramDoc {
    fn from(exec: ExecStatus) -> Self {
        let id = if exec.id == ExecId::MAIN { "main".to_owned() } else { exec.id.to_string() };
        Self {
            exec: id,
            tag: exec.tag,
            pid: exec.pid,
            stdout: exec.stdout,
            stderr: exec.stderr,
            age_ms: exec.age.as_millis(),
            end: exec.outcome.map(|outcome| OutcomeDoc::new(&outcome, false)),
        }
    }
}

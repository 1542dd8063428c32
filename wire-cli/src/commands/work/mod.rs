//! Containers of this machine: a consumer of [`wire_core::spawn`].
//!
//! 1. `spec` makes a spec out of the command line, `engine` opens the engine, `make` makes a container
//!    that is removed again if somebody interrupts.
//! 2. `carry` stands between a program and this process: output, input, terminal, Ctrl-C.
//! 3. Every command has a file; what they show is in `docs`.

mod carry;
mod cp;
mod docs;
mod exec;
mod logs;
mod ps;
mod run;
mod spawn;
mod spec;
mod stop;
mod terminal;

use std::pin::pin;

use wire_core::spawn::docker::{Docker, DockerConfig, Sandbox};
use wire_core::spawn::{ExecError, ExecId, ExecStatus, SpawnError, SpawnSpec, ValidSpec};

use crate::exit::{self, Failure};
use crate::home::Ctx;

pub(super) use cp::run as cp;
pub(super) use exec::run as exec;
pub(super) use logs::run as logs;
pub(super) use ps::run as ps;
pub(super) use run::run;
pub(super) use spawn::run as spawn;
pub(super) use stop::run as stop;

/// The engine, with this installation's containers.
async fn engine(ctx: &Ctx) -> Result<Docker, Failure> {
    let config = DockerConfig::from_env(ctx.config()?.home())?;
    let connecting = async { Ok(Docker::connect(config).await?) };
    ctx.stop.or(ctx.patiently(connecting, "waiting for the container engine")).await
}

/// A container of this installation.
async fn find(docker: &Docker, who: &str) -> Result<Sandbox, Failure> {
    docker.get(who).await?.ok_or_else(|| {
        Failure::said("not_found", format!("there is no container {who} of this installation"))
            .hint("wire ps --all shows those that there are")
    })
}

/// A program of the container that is not forgotten.
async fn known(sandbox: &Sandbox, id: [u8; 16]) -> Result<ExecStatus, Failure> {
    let id = ExecId::from(id);
    let execs = sandbox.execs().await?;
    Ok(execs.into_iter().find(|exec| exec.id == id).ok_or(ExecError::NoExec)?)
}

/// Makes it, as `start` does. Interrupted, what was made is removed; what was there before stays.
async fn make<T>(
    ctx: &Ctx,
    docker: &Docker,
    spec: SpawnSpec,
    start: impl AsyncFnOnce(&ValidSpec) -> Result<(Sandbox, T), SpawnError>,
) -> Result<(Sandbox, T), Failure> {
    let planning = async { Ok(docker.plan(spec).await?) };
    let plan = ctx.stop.or(ctx.patiently(planning, "fetching the image")).await?;
    let stopped = {
        let mut making = pin!(ctx.patiently(start(&plan), "waiting for the container"));
        let stopped = tokio::select! {
            made = making.as_mut() => return Ok(made?),
            stopped = ctx.stop.requested() => stopped,
        };
        // Only what is known can be removed, so this is waited for; it takes a moment.
        tokio::select! {
            made = making => match made {
                Ok((sandbox, _)) if sandbox.is_new() => drop(sandbox.remove().await),
                _ => {}
            },
            _ = ctx.stop.times(2) => {}
        }
        stopped
    };
    tokio::select! {
        () = docker.settled() => {}
        _ = ctx.stop.times(3) => {}
    }
    Err(stopped)
}

/// Removes it, unless somebody is tired of waiting. Whether it is gone.
async fn remove(ctx: &Ctx, sandbox: Sandbox) -> bool {
    let name = sandbox.name().clone();
    let why = tokio::select! {
        removed = sandbox.remove() => match removed {
            Ok(_) => return true,
            Err(error) => error.to_string(),
        },
        _ = ctx.stop.times(3) => "interrupted".to_owned(),
    };
    ctx.out.note(format!("{name} could not be removed ({why}); wire ps removes it later"));
    false
}

/// A command that passes a program's code on: what fails here must not look like one of those.
fn passed_on(ctx: &Ctx, outcome: Result<u8, Failure>) -> Result<u8, Failure> {
    match outcome {
        Err(failure @ Failure::Said { .. }) if failure.exit() != exit::USAGE => {
            ctx.out.failure(&failure);
            Ok(exit::OURS)
        }
        outcome => outcome,
    }
}

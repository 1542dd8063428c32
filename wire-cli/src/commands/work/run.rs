//! `wire run`: one command in a container of its own.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use serde::Serialize;
use wire_core::spawn::docker::{Docker, Exec, Sandbox};
use wire_core::spawn::{ExecError, Lifetime, Overflow, Stdin, ValidSpec};

use super::carry::{Carried, Carry, OnStop};
use super::docs::{CappedDoc, OutcomeDoc, ReportDoc};
use super::{engine, make, passed_on, remove, spec, terminal};
use crate::cli::RunArgs;
use crate::exit::Failure;
use crate::home::Ctx;

/// How long a container may live that does not end with this process.
const KEPT: Duration = Duration::from_secs(3600);

/// How long others are waited for who read what the command has said.
const READERS: Duration = Duration::from_secs(3);

/// How long the end of a run may wait for the sweep that began with it.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct RunDoc {
    name: String,
    id: String,
    #[serde(flatten)]
    outcome: OutcomeDoc,
    stdout: Option<CappedDoc>,
    stderr: Option<CappedDoc>,
    /// Made now, and not found: what is shown of one that was found is from when it ran.
    new: bool,
    /// Proved from inside before the command began.
    attested: bool,
    report: Option<ReportDoc>,
    /// Ended by a signal to this process.
    interrupted: bool,
    removed: bool,
    timings: Timings,
}

#[derive(Serialize)]
struct Timings {
    spawn_ms: u128,
    run_ms: u128,
}

pub(crate) async fn run(ctx: &Ctx, args: &RunArgs) -> Result<u8, Failure> {
    passed_on(ctx, one_shot(ctx, args).await)
}

async fn one_shot(ctx: &Ctx, args: &RunArgs) -> Result<u8, Failure> {
    terminal::check(ctx, args.tty)?;
    let begun = Instant::now();
    let container = &args.container;
    let mut spec = spec::of(ctx, container, args.stdin).await?;
    spec = spec.cmd(args.cmd.iter().map(|word| word.0.as_str()));
    // Without the shim nobody in the container sees that this process is gone.
    let outlives = args.keep || container.no_shim;
    spec = spec.lifetime(if outlives { Lifetime::Detached { max: KEPT } } else { Lifetime::Tied });
    // Somebody reads it here, whatever becomes of the container then.
    spec = spec.overflow(Overflow::Block);
    if args.stdin {
        spec = spec.stdin(Stdin::Piped);
    }
    if args.tty {
        spec = spec::terminal(spec, terminal::size(), &container.env);
    }
    if args.keep && !container.no_shim {
        spec = spec.stay();
    }
    let docker = engine(ctx).await?;
    let start = async |plan: &ValidSpec| docker.start_and_read(plan).await;
    let (sandbox, main) = make(ctx, &docker, spec, start).await?;
    if !sandbox.is_new() && container.no_shim {
        // It is another run's, which may still be at work; and nothing here has kept what it said.
        let message =
            format!("{} is there already, and without the shim its output is not kept", sandbox.name());
        let hint = format!("docker logs {0}, or end it: wire stop {0}", sandbox.name());
        return Err(Failure::said("unsupported", message).hint(hint));
    }
    let spawned = begun.elapsed();
    let mut sweeping = tokio::spawn({
        let docker = docker.clone();
        async move { docker.sweep(false).await }
    });
    let carried = tokio::select! {
        carried = carry(ctx, &sandbox, main, args) => carried,
        // Never: it only stands beside.
        never = out_of_the_way(&docker, &sandbox, args) => match never {},
    };
    let timings = Timings {
        spawn_ms: spawned.as_millis(),
        run_ms: begun.elapsed().saturating_sub(spawned).as_millis(),
    };
    let (name, id) = (sandbox.name().to_string(), sandbox.id().to_string());
    let report = sandbox.report().map(ReportDoc::from);
    let attested = sandbox.attestation().is_some();
    let new = sandbox.is_new();
    if !new && carried.is_ok() {
        let note = "this is what is kept of what its command said, which ran once";
        ctx.out.note(format!("{name} was there already: {note}"));
    }
    // What was found is its maker's to remove, or a sweep's where that is gone.
    let mut removed = new && !args.keep;
    if args.keep {
        let logs = if container.no_shim { "docker logs" } else { "wire logs" };
        ctx.out.note(format!("{name} is kept; {logs} {name}"));
    } else if new {
        let read = tokio::select! {
            read = sandbox.is_read(READERS) => read,
            _ = ctx.stop.times(3) => true,
        };
        removed = read && remove(ctx, sandbox).await;
        if !read {
            ctx.out.note(format!("another run still reads {name}; wire ps removes it later"));
        }
    }
    // What others have left behind is worth a moment, and not more.
    drop(tokio::time::timeout(SWEEP, &mut sweeping).await);
    sweeping.abort();
    let mut carried = carried?;
    let outcome = OutcomeDoc::new(&carried.outcome, carried.oom_seen);
    if !ctx.out.is_json() {
        outcome.note().into_iter().for_each(|note| ctx.out.note(note));
        return carried.code();
    }
    let [stdout, stderr] = streams(&mut carried);
    let interrupted = carried.stopped.is_some();
    let doc =
        RunDoc { name, id, outcome, stdout, stderr, new, attested, report, interrupted, removed, timings };
    ctx.out.show(&doc, |_| String::new())?;
    carried.code().or_else(|stopped| Ok(stopped.exit()))
}

/// Removes the container as soon as it has ended, though our own reader may be slow: whoever runs the same meanwhile
/// begins anew.
async fn out_of_the_way(docker: &Docker, sandbox: &Sandbox, args: &RunArgs) -> Infallible {
    if sandbox.is_new()
        && sandbox.has_shim()
        && !args.keep
        && sandbox.wait().await.is_ok()
        && let Ok(Some(ended)) = docker.get(&sandbox.id().to_string()).await
    {
        drop(ended.remove().await);
    }
    std::future::pending().await
}

async fn carry(
    ctx: &Ctx,
    sandbox: &Sandbox,
    main: Result<Exec, ExecError>,
    args: &RunArgs,
) -> Result<Carried, Failure> {
    let on_stop = OnStop::End { grace: args.grace, container: Some(sandbox) };
    let mut carry = Carry::new(ctx, main?, on_stop);
    if args.stdin {
        carry = carry.input();
    }
    if args.tty {
        carry = carry.terminal(args.stdin)?;
    }
    carry.on().await
}

/// What was kept of both streams.
pub(super) fn streams(carried: &mut Carried) -> [Option<CappedDoc>; 2] {
    match carried.kept.take() {
        Some(kept) => kept.map(|stream| Some(stream.into())),
        None => [None, None],
    }
}

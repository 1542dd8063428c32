//! `wire exec`: one more program in a container that runs.

use serde::Serialize;
use wire_core::spawn::docker::{Exec, Sandbox};
use wire_core::spawn::{Command, ExecError, ExecEvent, Overflow, Stdin};

use super::carry::{Carry, OnStop};
use super::docs::{CappedDoc, OutcomeDoc};
use super::run::streams;
use super::{engine, find, known, passed_on, spec, terminal};
use crate::cli::ExecArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;

#[derive(Serialize)]
struct ExecDoc {
    name: String,
    /// None without the shim.
    exec: Option<String>,
    #[serde(flatten)]
    outcome: OutcomeDoc,
    stdout: Option<CappedDoc>,
    stderr: Option<CappedDoc>,
    interrupted: bool,
}

#[derive(Serialize)]
struct DetachedDoc {
    name: String,
    exec: String,
    next: String,
}

pub(crate) async fn run(ctx: &Ctx, args: &ExecArgs) -> Result<u8, Failure> {
    passed_on(ctx, program(ctx, args).await)
}

async fn program(ctx: &Ctx, args: &ExecArgs) -> Result<u8, Failure> {
    terminal::check(ctx, args.tty)?;
    let docker = engine(ctx).await?;
    let sandbox = find(&docker, &args.id).await?;
    let carry = match args.attach {
        Some(id) => {
            let id = known(&sandbox, id).await?.id;
            let exec = sandbox.attach(id, [args.since; 2]).await?;
            Carry::new(ctx, exec, OnStop::Leave)
        }
        None => {
            let command = command(args)?;
            // Without the shim nobody in the container sees that this process is gone.
            let tied = sandbox.has_shim() && args.user.is_none() && !args.detach;
            let exec = sandbox.exec(if tied { command.tied() } else { command }).await?;
            if args.detach {
                return detach(ctx, &sandbox, exec).await;
            }
            let on_stop = OnStop::End { grace: args.grace, container: None };
            let mut carry = Carry::new(ctx, exec, on_stop);
            if args.stdin {
                carry = carry.input();
            }
            if args.tty { carry.terminal(args.stdin)? } else { carry }
        }
    };
    let exec = carry.id();
    let mut carried = carry.on().await?;
    if let (Some(id), None) = (exec, args.attach) {
        // Nobody will ask for it again: its record and output only take up memory.
        drop(sandbox.forget(id).await);
    }
    let exec = exec.map(|id| id.to_string());
    let outcome = OutcomeDoc::new(&carried.outcome, carried.oom_seen);
    if !ctx.out.is_json() {
        outcome.note().into_iter().for_each(|note| ctx.out.note(note));
        return carried.code();
    }
    let [stdout, stderr] = streams(&mut carried);
    let interrupted = carried.stopped.is_some();
    let name = sandbox.name().to_string();
    ctx.out.show(&ExecDoc { name, exec, outcome, stdout, stderr, interrupted }, |_| String::new())?;
    carried.code().or_else(|stopped| Ok(stopped.exit()))
}

fn command(args: &ExecArgs) -> Result<Command, Failure> {
    // Its name shows in lists, and nothing else of it: arguments may be secrets.
    let tag: String = args.cmd.first().map(|word| word.0.chars().take(64).collect()).unwrap_or_default();
    let mut command = Command::new(args.cmd.iter().map(|word| word.0.as_str())).grace(args.grace).tag(tag);
    for variable in &args.env {
        command = command.env(&variable.name, spec::value(variable)?);
    }
    command = args.workdir.iter().fold(command, Command::cwd);
    command = args.user.iter().fold(command, |command, (uid, gid)| command.user(*uid, *gid));
    command = args.timeout.iter().fold(command, |command, limit| command.timeout(*limit));
    if args.stdin {
        command = command.stdin(Stdin::Piped);
    }
    if args.tty {
        command = command.tty(terminal::size());
        command = spec::term(&args.env).iter().fold(command, |command, term| command.env("TERM", term));
    }
    // Nobody may be there to read it.
    Ok(if args.detach { command.overflow(Overflow::DropOldest) } else { command })
}

/// Leaves it as soon as it runs.
async fn detach(ctx: &Ctx, sandbox: &Sandbox, mut exec: Exec) -> Result<u8, Failure> {
    loop {
        match ctx.stop.or(async { Ok(exec.next().await) }).await? {
            Some(ExecEvent::Started { .. }) => break,
            Some(ExecEvent::Ended { outcome, oom_seen }) => {
                let doc = OutcomeDoc::new(&outcome, oom_seen);
                return Err(Failure::said("spawn_failed", doc.note().unwrap_or_else(|| doc.word()))
                    .hint("look at the program and its path"));
            }
            Some(_) => {}
            None => return Err(ExecError::NotRunning.into()),
        }
    }
    let name = sandbox.name().to_string();
    let Some(exec) = exec.detach() else {
        return Err(ExecError::Unsupported { what: "leaving a program" }.into());
    };
    let next = format!("wire exec {name} --attach {exec}");
    ctx.out.show(&DetachedDoc { name, exec: exec.to_string(), next }, |doc| {
        format!("✓ {}    next: {}", doc.exec, doc.next)
    })?;
    Ok(exit::OK)
}

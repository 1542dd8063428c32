//! The command `wire`, as a library: [`run`] is the whole program, so that another package can carry it.

#![allow(clippy::wildcard_enum_match_arm, reason = "codes and kinds of other crates fall back to one answer")]

mod cli;
mod commands;
mod engine_failure;
mod exit;
mod home;
mod output;
mod passphrase;
mod stop;
mod usage;
mod views;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::Cli;
use exit::Failure;
use home::Ctx;
use output::Output;
use stop::Stop;

/// Runs the command line `args`, the program's name first, to its end and gives its exit code.
///
/// Reads the environment, standard input and the agent's folder, and writes to standard output and
/// error. It never panics on bad input, and never ends the process itself.
pub fn run<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString>,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let code = match Cli::try_parse_from(&args) {
        Ok(cli) => start(cli),
        Err(error) => usage::report(&error, &args, Output::new(usage::wants_json(&args))),
    };
    ExitCode::from(code)
}

/// The command line as clap knows it, for manuals, completions and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

fn start(cli: Cli) -> u8 {
    let out = Output::new(cli.json);
    output::start_log();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if !matches!(cli.command, cli::Command::Relay(_)) {
        // One agent has little to do at once, and every command waits for its threads to start.
        runtime.worker_threads(2);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return out.failure(&Failure::internal(format!("no runtime: {error}"))),
    };
    let code = runtime.block_on(async {
        let outcome = match Stop::listen() {
            Ok(stop) => {
                let ctx = Ctx::new(out, cli.name, stop);
                commands::run(&ctx, cli.command).await
            }
            Err(error) => Err(Failure::internal(format!("no signals: {error}"))),
        };
        outcome.unwrap_or_else(|failure| out.failure(&failure))
    });
    // A thread that still waits for standard input must not hold up the end.
    runtime.shutdown_background();
    code
}

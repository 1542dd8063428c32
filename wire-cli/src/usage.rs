//! A command line that is no command: help and version, or what is wrong with it.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;

use crate::cli::Cli;
use crate::exit::{self, Failure};
use crate::output::Output;

/// Whether the command line asks for JSON, as far as that can be told of one that is wrong.
pub(crate) fn wants_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

/// Says what clap has to say: help and version, or what is wrong; gives the exit code.
pub(crate) fn report(error: &clap::Error, args: &[OsString], out: Output) -> u8 {
    #[derive(Serialize)]
    struct Text {
        text: String,
    }
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = Text { text: error.to_string().trim_end().to_owned() };
            match out.show(&text, |t| t.text.clone()) {
                Ok(()) => exit::OK,
                Err(failure) => out.failure(&failure),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => out.failure(
            &Failure::usage("a command is missing").hint("wire --help, or to see it work: wire demo"),
        ),
        _ => out.failure(&wrong(error, args)),
    }
}

/// clap's message in our form: its first lines are the fault, a tip or the help is what to do next.
fn wrong(error: &clap::Error, args: &[OsString]) -> Failure {
    let text = error.to_string();
    let fault: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let fault = fault.join(" ");
    let fault = fault.strip_prefix("error: ").unwrap_or(&fault);
    if fault.contains("'--as'") {
        return Failure::usage(fault).hint("--as stands before the command: wire --as NAME COMMAND");
    }
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned);
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let usage = usage.to_string();
            let lines = usage.trim().trim_start_matches("Usage: ").lines().map(str::trim);
            lines.collect::<Vec<_>>().join(", or: ")
        }
        _ => help(args),
    };
    Failure::usage(fault).hint(tip.unwrap_or(usage))
}

/// Where the command that was meant is explained.
fn help(args: &[OsString]) -> String {
    let tree = Cli::command();
    let verbs: Vec<&str> = tree.get_subcommands().map(clap::Command::get_name).collect();
    let verb = args.iter().filter_map(|arg| arg.to_str()).find(|arg| verbs.contains(arg));
    verb.map_or_else(|| "wire --help".to_owned(), |verb| format!("wire {verb} --help"))
}

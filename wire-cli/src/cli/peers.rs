//! The command line of `wire peers`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::units::duration;
use super::{PeerArg, SUB_HELP};

const LOG_HELP: &str = "\
Both sides sign what they say and what they have; the log is all of it. A file
of it convinces somebody who trusts neither side and has neither's keys.

Example
  wire peers log export bob --out bob.log";

const EXPORT_HELP: &str = "\
One JSON object a line, as PROTOCOL.md says. It holds what was said, in clear:
--no-bodies leaves that out, and it still proves who signed what, and in which
order. A file that is there already is not overwritten.

Example
  wire peers log export bob --out bob.log";

const VERIFY_HELP: &str = "\
Every signature, the order, the bodies, and what each side has signed to have.
received: up to here the other side has signed that it has them. processed: that
it is done with them, but for those that it did not take. Needs no agent for a
file.

Exit codes: 0 it holds; 1 it does not; 4 no such peer.

Example
  wire peers log verify --file bob.log";

const PRUNE_HELP: &str = "\
Of messages that both sides are done with. What was signed stays, so the log goes
on to verify; what was said is gone, here, for good.

Example
  wire peers log prune bob --older 30d";

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    pub(crate) command: Option<PeersCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeersCommand {
    /// All peers; the same as no command.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire peers list --json")]
    List,
    /// All that is known of one peer.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire peers show bob --verify")]
    Show {
        #[command(flatten)]
        peer: PeerArg,
        /// Compare the five words now; this also completes a pairing that waits for it
        #[arg(long)]
        verify: bool,
    },
    /// The joint log with a peer, as evidence.
    #[command(help_template = SUB_HELP, after_help = LOG_HELP, subcommand_required = true)]
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Write the log for somebody else.
    #[command(help_template = SUB_HELP, after_help = EXPORT_HELP)]
    Export(LogExport),
    /// Check a peer's log as it is stored here, or a file of one.
    #[command(help_template = SUB_HELP, after_help = VERIFY_HELP)]
    Verify(LogVerify),
    /// Forget what old messages said.
    #[command(help_template = SUB_HELP, after_help = PRUNE_HELP)]
    Prune(LogPrune),
}

#[derive(Args, Debug)]
pub(crate) struct LogExport {
    #[command(flatten)]
    pub(crate) peer: PeerArg,
    /// Where to write it; without it, or for `-`, standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Leave out what was said
    #[arg(long)]
    pub(crate) no_bodies: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LogVerify {
    /// A peer's name here, or its `wid:` name
    #[arg(value_name = "PEER", required_unless_present = "file", conflicts_with = "file")]
    pub(crate) peer: Option<String>,
    /// A file that somebody exported; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct LogPrune {
    #[command(flatten)]
    pub(crate) peer: PeerArg,
    /// How old a message has to be
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older: Duration,
}

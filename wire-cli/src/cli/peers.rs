//! The command line of `wire peers`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::units::duration;
use super::{PeerArg, SUB_HELP};

const MOVE_HELP: &str = "\
The peer is told by a signed message and goes on there; the session stays, and
nothing is lost. Both mailboxes are read until it has, or for 30 days. A peer
that may not use that relay refuses: then all stays as it was, and
wire peers show says so. For pairings to come set WIRE_RELAY.

Exit codes: 0 the new mailbox is there; 4 no such peer, or no session with it;
5 the relay cannot be reached; 6 it gives no mailbox, or a move is under way.

Example
  wire peers move bob --relay https://relay.example.org";

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

const RESET_HELP: &str = "\
A new session in the place of one that is frozen, was rolled back with its store,
or is lost. Both owners do it, one after the other; the old session goes on until
it is complete, and nothing of it happens by itself. Then each side has eight
words: read yours out, by telephone or eye to eye, and type what the other owner
reads out. Words that differ mean that someone stands in between: the reset is
thrown away. What the peer has not processed is sent again in the new session.

Exit codes: 0 done so far, the next step is said; 4 the words differ, or no peer;
7 too often within an hour.

Example
  wire peers reset bob";

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
    /// Move the mailbox that a peer posts to, to another relay.
    #[command(help_template = SUB_HELP, after_help = MOVE_HELP)]
    Move(MoveArgs),
    /// A new session with a peer: ask for it, answer, complete it.
    #[command(help_template = SUB_HELP, after_help = RESET_HELP)]
    Reset(ResetArgs),
    /// The joint log with a peer, as evidence.
    #[command(help_template = SUB_HELP, after_help = LOG_HELP, subcommand_required = true)]
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
}

#[derive(Args, Debug)]
pub(crate) struct MoveArgs {
    /// A peer's name here, or its `wid:` name
    #[arg(value_name = "PEER", required_unless_present = "all")]
    pub(crate) peer: Option<String>,
    /// Every peer whose mailbox is not there yet
    #[arg(long, conflicts_with = "peer")]
    pub(crate) all: bool,
    /// Where to
    #[arg(long, value_name = "URL")]
    pub(crate) relay: String,
}

#[derive(Args, Debug)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArg,
    /// The eight words that the other owner reads out
    #[arg(long, value_name = "WORDS", conflicts_with = "cancel")]
    pub(crate) words: Option<String>,
    /// Give up what is under way; the session stays what it is
    #[arg(long)]
    pub(crate) cancel: bool,
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
    /// The session so many resets before the present one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) back: u32,
}

#[derive(Args, Debug)]
pub(crate) struct LogVerify {
    /// A peer's name here, or its `wid:` name
    #[arg(value_name = "PEER", required_unless_present = "file", conflicts_with = "file")]
    pub(crate) peer: Option<String>,
    /// The session so many resets before the present one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, conflicts_with = "file")]
    pub(crate) back: u32,
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

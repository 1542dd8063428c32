//! The command line: every verb, option and help text.

mod identity;
mod peers;
mod units;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use wire_core::record::{ParseRecordIdError, RecordId};

pub(crate) use identity::{
    BackupArgs, IdentityArgs, IdentityCommand, PassphraseArgs, RestoreArgs, RotateArgs,
};
pub(crate) use peers::{
    LogCommand, LogExport, LogPrune, LogVerify, MoveArgs, PeersArgs, PeersCommand, ResetArgs,
};
use units::duration;
pub(crate) use units::{Place, Secret, Variable, secret};
pub(crate) use work::{
    ContainerArgs, CpArgs, ExecArgs, LogsArgs, PsArgs, PullArg, RunArgs, SpawnArgs, StopArgs, Unlimited,
};

const HELP: &str = "\
{about}

Usage: wire [--as NAME] [--json] COMMAND

Start
  demo     See it work: a relay, two agents, a message each way; leaves nothing
Talk
  pair     Make a code for another agent to enter, or an invite link
  join     Enter a code, or follow an invite link
  peers    Who is paired, and how things stand
  send     Send a message
  ask      Ask, and wait for the reply
  inbox    What peers have sent; looking consumes nothing
  watch    Show messages as they come, or hand each to a command
  status   How far a message got, or how this agent stands
Work
  run      Run a command in a container of its own, and remove it
  spawn    Make a container that stays
  exec     Run a program in a container
  ps       What containers there are, and what they are like inside
  logs     What a container's programs have said
  cp       Copy files into a container, or out of it
  stop     End and remove containers
Trust
  identity Who this agent is, its recovery file, and replacing its key
  revoke   End a pairing
Serve
  relay    Serve a relay for agents to meet at

Options
{options}

Exit codes: 0 ok, 1 failed, 2 usage or mistyped code, 3 wait ran out, 4 not
paired or code spent, 5 relay unreachable (what was sent is kept and goes out),
6 refused, 7 over a limit, 130 Ctrl-C. With --json a failure is a document too.
run and exec pass the command's own code on, and give 125 where it has none.
Environment: WIRE_HOME WIRE_AS WIRE_RELAY WIRE_LOG WIRE_SHIM DOCKER_HOST
HTTPS_PROXY NO_PROXY NO_COLOR
";

const SUB_HELP: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}";

const PAIR_HELP: &str = "\
The code holds once, for ten minutes. Both sides show five words: they are the
same exactly when nobody stands in between. With --json: a line with the code,
with --verify one with the words, then one with the peer.

Example
  wire pair --name server";

const JOIN_HELP: &str = "\
People may give the code as an argument: it holds once, for minutes, and this
command spends it. It is the only secret that may stand there, because arguments
show in the list of processes. Programs pipe code or link in, and give `-` or
nothing. A link can be followed while its maker is off line: then the state is
`pending`, and any command of this agent completes it later.

Example
  wire join 4821-canyon-velvet-oyster";

const SEND_HELP: &str = "\
Exit 0: the relay has stored it. Exit 5: it is kept here and goes out later, so
do not send it again; with --json `why` says why. With --re and one argument,
that is the text.

Example
  wire send bob \"tests are green\"";

const ASK_HELP: &str = "\
A wait that runs out (exit 3) ends only the waiting: with the same --key the same
ask is waited for again, and a late reply shows in the inbox.

Example
  wire ask bob \"ready?\" --wait 2m";

const INBOX_HELP: &str = "\
Exit 5: the relay could not be asked; 7: the disk is full. Then only what was
fetched before is shown; with --json `fetched` is false, and `why` says why.

Example
  wire inbox --ack all";

const WATCH_HELP: &str = "\
With --json a line is a message, or with --exec its `id`, `exit` and `state`
(processed, released: it comes again, poison: put aside). A line without `id` is
what keeps messages from coming, once, and null when that is over:
  {\"v\":1,\"trouble\":{\"code\":..,\"message\":..,\"hint\":..,\"retryable\":..}}
or, with `event`, what an owner has to know of a peer: reset (one is asked for or
goes on), words_differed, peer_lost (`from` and `to`: messages it had received),
rotated and rotation_refused (`at`: its key was replaced, or was tried to be).

Example
  wire watch --exec 'jq -r .text >> log.txt'";

const STATUS_HELP: &str = "\
queued: on this disk. relayed: the relay says it has it. received, processed:
signed by the peer. refused, expired, poison: signed too, and why not processed.
revoked: the pairing ended while it was queued, so it is not sent any more; then
--wait exits 4, and `why` says how it ended.

Example
  wire status 01K9ZQ6J5T4M2P8W7X3Y0V1N9B --wait";

const SERVE_HELP: &str = "\
Every option can stand in relay.toml under WIRE_HOME, or in the environment as
WIRE_RELAY_LISTEN, WIRE_RELAY_DATA, WIRE_RELAY_HOSTS; PORT sets the port alone.
Flags come first, then the environment, then the file, which also has [limits]:
numbers, sizes in bytes and times in milliseconds. A wrong key lists them all.
With --json a line with the address is printed when it listens.

Example
  wire relay serve --data /var/lib/wire";

/// Pair once with a short code; from then on two agents talk through a relay
/// that cannot read, forge, replay or silently drop what they say.
#[derive(Debug, Parser)]
#[command(name = "wire", version, help_template = HELP, term_width = 80, verbatim_doc_comment)]
#[command(
    disable_help_subcommand = true,
    max_term_width = 80,
    override_usage = "wire [--as NAME] [--json] COMMAND"
)]
pub(crate) struct Cli {
    /// Which agent of this machine; stands before the command
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Print one JSON document, or one a line; failures too
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work: a relay and two agents on this machine, paired, one message each
    /// way with its signature checked; nothing is left behind.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire demo")]
    Demo,

    /// Make a code and wait until another agent has entered it.
    #[command(help_template = SUB_HELP, after_help = PAIR_HELP)]
    Pair(PairArgs),

    /// Enter a code, or follow an invite link.
    #[command(help_template = SUB_HELP, after_help = JOIN_HELP)]
    Join(JoinArgs),

    /// Who is paired, and how things stand.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire peers show bob")]
    Peers(PeersArgs),

    /// Send a message: TEXT, or standard input where TEXT is `-` or not given.
    #[command(help_template = SUB_HELP, after_help = SEND_HELP)]
    Send(SendArgs),

    /// Ask a peer, and wait for the reply.
    #[command(help_template = SUB_HELP, after_help = ASK_HELP)]
    Ask(AskArgs),

    /// What peers have sent and nobody has processed. Looking consumes nothing.
    #[command(help_template = SUB_HELP, after_help = INBOX_HELP)]
    Inbox(InboxArgs),

    /// Show messages as they come, or hand each to a command. Survives every outage.
    #[command(help_template = SUB_HELP, after_help = WATCH_HELP)]
    Watch(WatchArgs),

    /// How far a message got, as far as it was proved, or how this agent stands.
    #[command(help_template = SUB_HELP, after_help = STATUS_HELP)]
    Status(StatusArgs),

    /// Run a command in a container of its own, with its output here, and remove it.
    #[command(help_template = SUB_HELP, after_help = work::RUN_HELP)]
    Run(Box<RunArgs>),

    /// Make a container that stays, running a command or waiting for `wire exec`.
    #[command(help_template = SUB_HELP, after_help = work::SPAWN_HELP)]
    Spawn(Box<SpawnArgs>),

    /// Run a program in a container that runs.
    #[command(help_template = SUB_HELP, after_help = work::EXEC_HELP)]
    Exec(ExecArgs),

    /// What containers there are, and what they are like inside.
    #[command(help_template = SUB_HELP, after_help = work::PS_HELP)]
    Ps(PsArgs),

    /// What a container's command, or a program of `wire exec`, has said.
    #[command(help_template = SUB_HELP, after_help = work::LOGS_HELP)]
    Logs(LogsArgs),

    /// Copy files into a container that runs, or out of it. One side is ID:PATH.
    #[command(help_template = SUB_HELP, after_help = work::CP_HELP)]
    Cp(CpArgs),

    /// End and remove containers.
    #[command(help_template = SUB_HELP, after_help = work::STOP_HELP)]
    Stop(StopArgs),

    /// Who this agent is, and the keys that speak for it.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire identity show")]
    Identity(IdentityArgs),

    /// End a pairing: nothing more is sent or taken, and the peer's right to post is withdrawn.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire revoke bob")]
    Revoke(PeerArg),

    /// Serve a relay for agents to meet at.
    #[command(help_template = SUB_HELP, after_help = "Example\n  wire relay serve --listen 127.0.0.1:8770")]
    Relay(RelayArgs),
}

#[derive(Args, Debug)]
pub(crate) struct PairArgs {
    /// Make a link with a 128-bit secret and a life of days instead of a code; returns at once
    #[arg(long, conflicts_with = "words")]
    pub(crate) invite: bool,
    /// Pair only when the owner has said that the five words are the same on both sides
    #[arg(long)]
    pub(crate) verify: bool,
    /// What to call the peer here
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Words of the code, 3 to 8
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=8))]
    pub(crate) words: u8,
    /// Show it as a QR code too
    #[arg(long)]
    pub(crate) qr: bool,
    /// With --invite: wait until somebody has followed the link
    #[arg(long, requires = "invite")]
    pub(crate) wait: bool,
}

#[derive(Args, Debug)]
pub(crate) struct JoinArgs {
    /// The code or link; `-` or none reads it from standard input
    #[arg(value_name = "CODE|LINK")]
    pub(crate) code: Option<String>,
    /// Pair only when the owner has said that the five words are the same on both sides
    #[arg(long)]
    pub(crate) verify: bool,
    /// What to call the peer here
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How long to wait for the maker of a link
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) wait: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct PeerArg {
    /// A peer's name here, or its `wid:` name
    #[arg(value_name = "PEER")]
    pub(crate) peer: String,
}

#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// A peer's name here, or its `wid:` name; not needed with --re
    #[arg(value_name = "PEER", required_unless_present = "re")]
    pub(crate) peer: Option<String>,
    /// What to send
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Your own name for the message: the same key again sends nothing twice
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The message that this one answers; it becomes processed
    #[arg(long, value_name = "ID")]
    pub(crate) re: Option<RecordId>,
}

#[derive(Args, Debug)]
pub(crate) struct AskArgs {
    /// A peer's name here, or its `wid:` name
    #[arg(value_name = "PEER")]
    pub(crate) peer: String,
    /// What to ask; `-` or none reads standard input
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// How long to wait for the reply
    #[arg(long, value_name = "TIME", default_value = "45s", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Your own name for the ask: the same key is the same ask
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct InboxArgs {
    /// Show a message, or all, and then say that it was processed; the sender gets that signed.
    /// With --json a second line says how many
    #[arg(long, value_name = "ID|all", value_parser = ack)]
    pub(crate) ack: Option<Ack>,
    /// Show what was put aside after `watch --exec`, or another program, failed on it five times
    #[arg(long, conflicts_with = "ack")]
    pub(crate) dead: bool,
}

/// Which messages were processed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ack {
    /// All that are shown.
    All,
    /// This one.
    One(RecordId),
}

#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// Show nothing: only send, fetch and acknowledge
    #[arg(long, conflicts_with_all = ["exec", "line"])]
    pub(crate) quiet: bool,
    /// Run a shell command for each, with the message as JSON on its standard input. Exit 0 says
    /// that it was processed; otherwise it comes again. After the fifth time it is put aside, and
    /// the sender is told (see: wire inbox --dead)
    #[arg(long, value_name = "CMD", conflicts_with = "line")]
    pub(crate) exec: Option<String>,
    /// One line each, marked as a peer's words: for hosts that hand lines to a model
    #[arg(long)]
    pub(crate) line: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// A message that was sent from here
    #[arg(value_name = "ID")]
    pub(crate) id: Option<RecordId>,
    /// Wait until nothing more will happen to it
    #[arg(long, requires = "id")]
    pub(crate) wait: bool,
    /// How long to wait; without it, until it is so
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct RelayArgs {
    #[command(subcommand)]
    pub(crate) command: RelayCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RelayCommand {
    /// Serve until Ctrl-C or SIGTERM, then let what is under way finish.
    #[command(help_template = SUB_HELP, after_help = SERVE_HELP)]
    Serve(ServeArgs),
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8770]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Where key and envelopes lie [default: relay/ under WIRE_HOME]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// A name that clients know it by; can be repeated. It proves its key for these only
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// Listen beyond this machine without TLS: only behind something that adds it
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
    /// End when standard input ends, for a program that starts a relay
    #[arg(long)]
    pub(crate) while_stdin: bool,
}

fn ack(text: &str) -> Result<Ack, ParseRecordIdError> {
    if text == "all" { Ok(Ack::All) } else { text.parse().map(Ack::One) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_command_and_fits_a_terminal() {
        let mut command = Cli::command();
        let help = command.render_help().to_string();
        assert!(help.lines().count() <= 60, "{help}");
        for verb in command.get_subcommands() {
            assert!(help.contains(&format!("\n  {} ", verb.get_name())), "{}", verb.get_name());
        }
        each("wire", &mut command, &mut |path, command| {
            let help = command.render_help().to_string();
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{path}: {help}");
            // What makes containers has many options, under headings.
            let most = if ["wire run", "wire spawn"].contains(&path) { 90 } else { 60 };
            assert!(help.lines().count() <= most, "{path}");
            if path != "wire" {
                assert_eq!(help.matches("Example\n  wire ").count(), 1, "{path}: {help}");
            }
        });
    }

    fn each(path: &str, command: &mut clap::Command, look: &mut impl FnMut(&str, &mut clap::Command)) {
        look(path, command);
        for sub in command.get_subcommands_mut() {
            let path = format!("{path} {}", sub.get_name());
            each(&path, sub, look);
        }
    }
}

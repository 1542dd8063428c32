//! The command line of containers: `run spawn exec ps logs cp stop`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::units::{
    Bind, Place, Variable, Word, bind, duration, exec_id, label, place, size, tmp_mount, user, variable,
};

pub(super) const RUN_HELP: &str = "\
Nothing that is not asked for: no network, no capability, no root, a read-only
image, 512 MiB, one processor, 256 processes; proved from inside before CMD
begins. It is gone at the end; if this process is killed, it ends within 15 s
(with --no-shim after an hour, when `wire ps` removes it). Ctrl-C asks its
programs to end, a second one kills them.

Exit codes: the command's own; 128 and a signal's number; 127 no such program,
126 it cannot be run; 125 anything else: timed out, no engine, no image, refused
(standard error says which, with --json `outcome` or `error`); 2 usage;
130 Ctrl-C.

Example
  wire run --mount .:/work --workdir /work debian:12 -- ls -l";

pub(super) const SPAWN_HELP: &str = "\
It stays until its time is over or `wire stop`, also when CMD has ended: then
`wire logs` has the output. With --key or --name the same command again finds
the same container; with other options it is refused.

Exit codes: 0 it runs; 1 no engine, no image, it did not start; 2 usage; 6 what
was asked for cannot be held here.

Example
  wire spawn --name box --for 2h debian:12";

pub(super) const EXEC_HELP: &str = "\
Ctrl-C asks the program and all that it has started to end, a second one kills
them; if this process is killed, they end within 15 s. With --user, or in a
container without the shim, the program runs on. So does what was started with
--detach; its output is kept within bounds, and `--attach` or `wire logs` reads
it.

Exit codes: those of `wire run`; with --detach 0 when it has been started.

Example
  wire exec box -- uname -a";

pub(super) const PS_HELP: &str = "\
First, what nobody needs any more is removed: what has lived its time, and what
processes that are gone have left. With --attest the container is looked at from
inside, one row for each control.

Exit codes: 0; 1 no engine, no such container; 6 the container is not as it was
asked for.

Example
  wire ps --all";

pub(super) const LOGS_HELP: &str = "\
The shim keeps the newest output; where older bytes are gone, standard error
says which. Offsets are bytes of a stream. With --json a line is a part of the
output, a `gap`, or the `end` of a program that has ended.

Exit codes: 0; 1 no engine, no such container or program; 6 without the shim
nothing is kept.

Example
  wire logs -f box";

pub(super) const CP_HELP: &str = "\
What is in a folder goes into the folder DST, which is made if it is missing. A
file becomes DST, or goes into DST if that is a folder. With `-` a tar archive
is read from standard input, or written to standard output. Files of a container
are moved with the rights of its user, and unpacked so that none leaves DST.
Files and links that are in the way are replaced; folders, devices, pipes and
sockets never, and these are left out of what is copied. A DST of this machine
that is a link is what it points to. A link that leads out is refused. A folder or an archive that is refused halfway leaves what came
before; a file is copied whole or not at all.

Exit codes: 0; 1 no engine, no such container or path; 2 usage; 6 not allowed,
refused, or no shim; 7 over the limit, or no room.

Example
  wire cp box:/tmp/report.md .";

pub(super) const STOP_HELP: &str = "\
SIGTERM to all programs, SIGKILL after the grace, of all containers at once.

Exit codes: 0 all have ended; 1 no engine, or no such container.

Example
  wire stop box";

/// A container that is to be made.
#[derive(Args, Debug)]
pub(crate) struct ContainerArgs {
    /// The image, by name or by id
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,

    /// The container's name; without one it is made from the key
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Your own key: the same key and options are the same container
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// A label of yours; can be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Whether the image may be fetched
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = PullArg::Missing)]
    pub(crate) pull: PullArg,

    /// A variable, or with no value the one of that name here; can be repeated. Arguments show in
    /// the list of processes, so a secret is no variable
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable, help_heading = "Program")]
    pub(crate) env: Vec<Variable>,
    /// Let this variable of the image through; can be repeated
    #[arg(long = "image-env", value_name = "NAME", help_heading = "Program")]
    pub(crate) image_env: Vec<String>,
    /// Where programs start [default: /]
    #[arg(long, value_name = "FOLDER", help_heading = "Program")]
    pub(crate) workdir: Option<String>,
    /// Whom programs run as, never 0 [default: 65532:65532, with --mount yourself]
    #[arg(long, value_name = "UID:GID", value_parser = user, help_heading = "Program")]
    pub(crate) user: Option<(u32, u32)>,
    /// A file under /run/wire that never touches a disk; FILE `-` is standard input
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = word(), help_heading = "Program")]
    pub(crate) secrets: Vec<Word>,

    /// End everything this long after the start; what ignores that is killed 5 s later
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub(crate) timeout: Option<Duration>,
    /// Memory, files in memory included; no swap on top [default: 512m]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Limits")]
    pub(crate) memory: Option<u64>,
    /// Processors, such as 0.5 [default: 1]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) cpus: Option<f64>,
    /// Processes and threads, 8 at least [default: 256]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) pids: Option<u32>,
    /// Open files of one process [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) nofile: Option<u64>,
    /// Size of /tmp, which is memory [default: an eighth of it, at most 64m]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Limits")]
    pub(crate) tmpfs: Option<u64>,
    /// More memory as a folder; can be repeated
    #[arg(long = "tmp-mount", value_name = "PATH:SIZE", value_parser = tmp_mount, help_heading = "Limits")]
    pub(crate) tmp_mounts: Vec<(String, u64)>,

    /// A folder or file of this machine; can be repeated
    #[arg(long = "mount", value_name = "SRC:DST[:ro]", value_parser = bind, help_heading = "Loosened")]
    pub(crate) mounts: Vec<Bind>,
    /// A network of the engine instead of none
    #[arg(long, value_name = "NAME", help_heading = "Loosened")]
    pub(crate) network: Option<String>,
    /// Programs in /tmp can be executed
    #[arg(long, help_heading = "Loosened")]
    pub(crate) exec_tmp: bool,
    /// The image's files can be written, until the container is gone
    #[arg(long, help_heading = "Loosened")]
    pub(crate) writable_root: bool,
    /// Shared memory of this size
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Loosened")]
    pub(crate) shm: Option<u64>,
    /// Go on where the engine cannot limit this; can be repeated
    #[arg(long = "unlimited", value_enum, value_name = "WHAT", help_heading = "Loosened")]
    pub(crate) unlimited: Vec<Unlimited>,
    /// Without the shim: no proof, no time limit, no reading again
    #[arg(long, help_heading = "Loosened")]
    pub(crate) no_shim: bool,
    /// A runtime of the engine, such as runsc
    #[arg(long, value_name = "NAME", help_heading = "Loosened")]
    pub(crate) runtime: Option<String>,
}

/// Whether an image may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullArg {
    Never,
    Missing,
}

/// What an engine may be unable to limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unlimited {
    Memory,
    Swap,
    Cpu,
    Pids,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    /// Pass standard input on
    #[arg(short = 'i', long = "stdin")]
    pub(crate) stdin: bool,
    /// A terminal for the command; with -i, this one
    #[arg(short = 't', long = "tty")]
    pub(crate) tty: bool,
    /// On Ctrl-C, the time between asking and killing
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// Leave the container and its output for an hour: see wire logs
    #[arg(long)]
    pub(crate) keep: bool,
    /// What to run, and its arguments; no shell looks at them
    #[arg(last = true, required = true, value_name = "CMD", value_parser = word())]
    pub(crate) cmd: Vec<Word>,
}

#[derive(Args, Debug)]
pub(crate) struct SpawnArgs {
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    /// How long it may live, at most 30d
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) life: Duration,
    /// What to run; without it the container waits for wire exec
    #[arg(last = true, value_name = "CMD", value_parser = word())]
    pub(crate) cmd: Vec<Word>,
}

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    /// The container, by name or id
    #[arg(value_name = "ID|NAME")]
    pub(crate) id: String,
    /// Pass standard input on
    #[arg(short = 'i', long = "stdin", conflicts_with_all = ["detach", "attach"])]
    pub(crate) stdin: bool,
    /// A terminal for the program; with -i, this one
    #[arg(short = 't', long = "tty", conflicts_with_all = ["detach", "attach"])]
    pub(crate) tty: bool,
    /// End the program and all that it has started after this long
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "attach")]
    pub(crate) timeout: Option<Duration>,
    /// Between asking the program to end and killing it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// A variable, or with no value the one of that name here; can be repeated
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable, conflicts_with = "attach")]
    pub(crate) env: Vec<Variable>,
    /// Where it starts [default: the container's]
    #[arg(long, value_name = "FOLDER", conflicts_with = "attach")]
    pub(crate) workdir: Option<String>,
    /// As whom, by numbers; never 0 [default: the container's]. Whom the engine starts cannot be limited in time
    #[arg(long, value_name = "UID:GID", value_parser = user, conflicts_with_all = ["attach", "detach", "timeout"])]
    pub(crate) user: Option<(u32, u32)>,
    /// Only start it, and show the id for --attach
    #[arg(long, conflicts_with = "attach")]
    pub(crate) detach: bool,
    /// Read a program that was started before, to its end; Ctrl-C leaves it running
    #[arg(long, value_name = "EXECID", value_parser = exec_id)]
    pub(crate) attach: Option<[u8; 16]>,
    /// With --attach: from this byte of each stream on
    #[arg(long, value_name = "OFFSET", conflicts_with = "cmd", default_value_t = 0)]
    pub(crate) since: u64,
    /// What to run, and its arguments; no shell looks at them
    #[arg(
        last = true,
        value_name = "CMD",
        required_unless_present = "attach",
        conflicts_with = "attach",
        value_parser = word()
    )]
    pub(crate) cmd: Vec<Word>,
}

#[derive(Args, Debug)]
pub(crate) struct PsArgs {
    /// All that is known of this container, and its programs
    #[arg(value_name = "ID|NAME")]
    pub(crate) id: Option<String>,
    /// Look at it from inside, now
    #[arg(long, requires = "id")]
    pub(crate) attest: bool,
    /// Those that have ended too
    #[arg(long, conflicts_with = "id")]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The container, by name or id
    #[arg(value_name = "ID|NAME")]
    pub(crate) id: String,
    /// Go on until the program has ended
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// From this byte of each stream on
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    pub(crate) since: u64,
    /// A program of wire exec [default: main, the container's own command]
    #[arg(long, value_name = "EXECID", value_parser = exec_id)]
    pub(crate) exec: Option<[u8; 16]>,
    /// Standard output alone
    #[arg(long, conflicts_with = "stderr")]
    pub(crate) stdout: bool,
    /// Standard error alone
    #[arg(long)]
    pub(crate) stderr: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CpArgs {
    /// ID:PATH, a path of this machine, or `-`
    #[arg(value_name = "SRC", value_parser = place)]
    pub(crate) from: Place,
    /// ID:PATH, a path of this machine, or `-`
    #[arg(value_name = "DST", value_parser = place)]
    pub(crate) to: Place,
    /// Most bytes of all files together
    #[arg(long = "limit", value_name = "SIZE", default_value = "1g", value_parser = size)]
    pub(crate) most: u64,
}

#[derive(Args, Debug)]
pub(crate) struct StopArgs {
    /// Containers, by name or id
    #[arg(value_name = "ID|NAME", required = true)]
    pub(crate) ids: Vec<String>,
    /// Between asking programs to end and killing them
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// End it, and do not remove it
    #[arg(long)]
    pub(crate) keep: bool,
}

fn word() -> impl clap::builder::TypedValueParser<Value = Word> {
    use clap::builder::TypedValueParser as _;
    clap::builder::StringValueParser::new().map(Word)
}

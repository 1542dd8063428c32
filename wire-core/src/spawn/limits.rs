//! What a container may use at most, and how much of what it says is kept.
//!
//! ```
//! use wire_core::spawn::Limits;
//! let limits = Limits::default().memory(1 << 30).cpus(0.5).pids(64);
//! assert_eq!(limits.memory, 1 << 30);
//! assert_eq!(limits.nofile, 1024);
//! ```

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::command::OutputCap;
use super::facts::EngineFacts;
use super::lifetime;
use super::spec_error::SpecError;

/// Limits as asked for. [`SpawnSpec::validate`](super::SpawnSpec::validate) says what is out of range.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of memory, files in a tmpfs included: 6 MiB ([`MIN_MEMORY`]) up to all of the host's. There is
    /// no swap on top. 512 MiB if not said.
    pub memory: u64,
    /// Processors, in steps of a thousandth: 0.01 up to all of the host's. 1.0 if not said.
    pub cpus: f64,
    /// Processes and threads, the shim's and the engine's own for a moment among them: 8 ([`MIN_PIDS`]) to
    /// 4194304 ([`MAX_PIDS`]). 256 if not said.
    pub pids: u32,
    /// Open files of one process: 64 up to what the engine may give, at most 1048576. 1024 if not said.
    pub nofile: u64,
    /// Bytes of `/tmp`: 64 KiB up to the memory. If not said, an eighth of the memory, at most 64 MiB.
    pub tmpfs: Option<u64>,
    /// What the engine keeps of the output where there is no shim.
    pub log: LogCap,
    /// Time from the start until everything is ended, whatever the lifetime says: 1 s to 30 days. Needs
    /// the shim.
    pub wall: Option<Duration>,
    /// How much is kept of each of the command's streams: 4 KiB to 64 MiB in all. The shim keeps it in
    /// the container's memory, 16 MiB at most. The command of a tied container waits when so much is unread.
    pub output: OutputCap,
}

/// The smallest limit of memory that the engine takes.
pub const MIN_MEMORY: u64 = 6 << 20;
/// The fewest processes and threads that a container can be started and spoken with: what the engine runs in
/// it to start a program has several threads of its own until the program takes its place.
pub const MIN_PIDS: u32 = 8;
/// The most processes that Linux can number.
pub const MAX_PIDS: u32 = 1 << 22;
/// Bytes of the tmpfs for secrets and sockets.
pub const RUN_DIR_SIZE: u64 = 1 << 20;

pub(super) const MIN_TMPFS: u64 = 64 << 10;
const DEFAULT_TMPFS: u64 = 64 << 20;
const NOFILE: (u64, u64) = (64, 1 << 20);
const OUTPUT: (usize, usize) = (4 << 10, 64 << 20);

/// Files that the engine writes the output into, where there is no shim to keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogCap {
    /// Bytes of one file: 64 KiB to 1 GiB. 8 MiB if not said.
    pub file: u64,
    /// Files, the oldest of which goes first: 1 to 16. 2 if not said.
    pub files: u32,
}

impl Default for LogCap {
    fn default() -> Self {
        Self { file: 8 << 20, files: 2 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            cpus: 1.0,
            pids: 256,
            nofile: 1024,
            tmpfs: None,
            log: LogCap::default(),
            wall: None,
            output: OutputCap::default(),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:ty => $set:expr;)+) => {
        impl Limits {
            $($(#[$doc])*
            #[must_use]
            pub const fn $name(mut self, $name: $kind) -> Self {
                self.$name = $set;
                self
            })+
        }
    };
}

setters! {
    /// Bytes of memory.
    memory: u64 => memory;
    /// Processors.
    cpus: f64 => cpus;
    /// Processes and threads.
    pids: u32 => pids;
    /// Open files of one process.
    nofile: u64 => nofile;
    /// Bytes of `/tmp`.
    tmpfs: u64 => Some(tmpfs);
    /// What the engine keeps of the output where there is no shim.
    log: LogCap => log;
    /// Time from the start until everything is ended.
    wall: Duration => Some(wall);
    /// How much is kept of each of the command's streams.
    output: OutputCap => output;
}

/// Something that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Memory.
    Memory,
    /// Swap.
    Swap,
    /// Processors.
    Cpu,
    /// Processes.
    Pids,
    /// Open files.
    Nofile,
    /// Bytes of a tmpfs.
    Tmpfs,
    /// Shared memory.
    Shm,
    /// Log files of the engine.
    Log,
    /// Time.
    Wall,
    /// Kept output.
    Output,
    /// Bytes on disk.
    Disk,
}

impl Resource {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::Nofile => "nofile",
            Self::Tmpfs => "tmpfs",
            Self::Shm => "shm",
            Self::Log => "log",
            Self::Wall => "wall",
            Self::Output => "output",
            Self::Disk => "disk",
        }
    }

    /// What its numbers count, to be put behind one.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::Swap | Self::Tmpfs | Self::Shm | Self::Log | Self::Output | Self::Disk => {
                " bytes"
            }
            Self::Wall => " ms of time",
            Self::Cpu | Self::Pids | Self::Nofile => "",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Limits that hold on an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidLimits {
    /// Bytes of memory; with swap it is not more.
    pub memory: u64,
    /// Thousandths of a processor.
    pub millicpus: u64,
    /// Processes and threads.
    pub pids: NonZeroU32,
    /// Open files of one process.
    pub nofile: u64,
    /// Bytes of `/tmp`.
    pub tmpfs: u64,
    /// The engine's log files.
    pub log: LogCap,
    /// Milliseconds from the start until everything is ended.
    pub wall_ms: Option<u64>,
    /// Kept output.
    pub output: OutputCap,
}

impl ValidLimits {
    /// Billionths of a processor, as the engine counts them.
    pub const fn nano_cpus(&self) -> u64 {
        self.millicpus * 1_000_000
    }
}

/// Every number against its range. What is out of it is reported; the other checks go on.
pub(super) fn check(asked: &Limits, facts: &EngineFacts, errors: &mut Vec<SpecError>) -> ValidLimits {
    let mut range = |what, asked: u64, least: u64, most: u64| {
        if !(least..=most).contains(&asked) {
            errors.push(SpecError::Limit { what, asked, least, most });
        }
    };
    let host_memory = if facts.memory == 0 { i64::MAX as u64 } else { facts.memory };
    range(Resource::Memory, asked.memory, MIN_MEMORY, host_memory);
    let pids = u64::from(asked.pids);
    range(Resource::Pids, pids, u64::from(MIN_PIDS), u64::from(MAX_PIDS));
    let hard = facts.hard_nofile.unwrap_or(NOFILE.1).min(NOFILE.1);
    range(Resource::Nofile, asked.nofile, NOFILE.0, hard);
    let tmpfs = asked.tmpfs.unwrap_or_else(|| (asked.memory / 8).min(DEFAULT_TMPFS));
    if asked.tmpfs.is_some() {
        range(Resource::Tmpfs, tmpfs, MIN_TMPFS, asked.memory.max(MIN_TMPFS));
    }
    range(Resource::Log, asked.log.file, 64 << 10, 1 << 30);
    range(Resource::Log, u64::from(asked.log.files), 1, 16);
    let wall_ms = asked.wall.map(millis);
    if let Some(wall) = wall_ms {
        range(Resource::Wall, wall, lifetime::MIN_MS, lifetime::MAX_MS);
    }
    check_output(asked.output, errors);
    let millicpus = millicpus(asked.cpus, facts.cpus).unwrap_or_else(|| {
        errors.push(SpecError::Cpus { asked: asked.cpus.to_string(), host: facts.cpus });
        1000
    });
    ValidLimits {
        memory: asked.memory,
        millicpus,
        pids: NonZeroU32::new(asked.pids).unwrap_or(NonZeroU32::MIN),
        nofile: asked.nofile,
        tmpfs,
        log: asked.log,
        wall_ms,
        output: asked.output,
    }
}

/// How much of a stream is kept.
pub(super) fn check_output(cap: OutputCap, errors: &mut Vec<SpecError>) {
    let kept = cap.head.saturating_add(cap.tail);
    if !(OUTPUT.0..=OUTPUT.1).contains(&kept) {
        let [asked, least, most] = [kept, OUTPUT.0, OUTPUT.1].map(|n| n as u64);
        errors.push(SpecError::Limit { what: Resource::Output, asked, least, most });
    }
}

/// Whole milliseconds, the most that fit if it is more.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Nothing that is no number, below 0.01 or above the host's.
fn millicpus(asked: f64, host: u32) -> Option<u64> {
    let most = if host == 0 { 1024.0 } else { f64::from(host) };
    let fits = asked.is_finite() && asked >= 0.01 && asked <= most;
    // At most 2^32 processors: the product is far inside of what both types hold exactly.
    fits.then(|| (asked * 1000.0).round() as u64)
}

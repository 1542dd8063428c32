//! What came of a program or a container. Nothing here is ever made up: what is not known is `Lost`.

use wire_shim::protocol::Stream;

use crate::time::Timestamp;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It ended by itself with this code, 0 to 255. Of a program that the engine started, or of a container without
    /// the shim, 128 and more may stand for a signal too: the engine does not tell.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// The kernel ended it for want of memory: a SIGKILL that nobody here sent, and the container's count
    /// of such kills rose.
    OomKilled {
        /// Other programs ran meanwhile, so that the count may be theirs; or the engine, which counts for the
        /// container alone, is all that there is to ask.
        shared: bool,
    },
    /// Its time was over.
    TimedOut {
        /// Its whole tree is gone.
        killed: bool,
    },
    /// It never ran.
    NotStarted(NotStarted),
    /// The container ended while it ran.
    ContainerGone(Exit),
    /// Nobody can say any more.
    Lost {
        /// Why.
        why: String,
    },
}

/// Why a program never ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStarted {
    /// There is no such program.
    NotFound,
    /// It may not be executed, or is no program.
    NotExecutable,
    /// The working folder is not there, or may not be entered.
    BadCwd,
    /// The user is not one that programs may run as here.
    BadUser,
    /// Anything else, in the engine's or the kernel's words.
    Other(String),
}

impl Outcome {
    /// The stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exited(_) => "exited",
            Self::Signaled(_) => "signaled",
            Self::OomKilled { .. } => "oom_killed",
            Self::TimedOut { .. } => "timed_out",
            Self::NotStarted(_) => "not_started",
            Self::ContainerGone(_) => "container_gone",
            Self::Lost { .. } => "lost",
        }
    }

    /// As a command's exit code: the program's own, 128 and the signal's number, 126 or 127 for what did
    /// not start, 125 where none of these is the truth.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Exited(code) => (*code & 0xff) as u8,
            Self::Signaled(signal) => 128 + (*signal & 0x7f) as u8,
            Self::OomKilled { .. } => 137,
            Self::NotStarted(NotStarted::NotFound) => 127,
            Self::NotStarted(NotStarted::NotExecutable) => 126,
            Self::NotStarted(_) | Self::TimedOut { .. } | Self::ContainerGone(_) | Self::Lost { .. } => 125,
        }
    }

    /// Whether it ended by itself with code 0.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exit {
    /// The code of its first process, if the engine has it.
    pub code: Option<i32>,
    /// The signal that ended its first process, if the code is written as engines write one: 128 and more.
    pub signal: Option<i32>,
    /// The engine reported that memory ran out while it lived. Independent of the code.
    pub oom_seen: bool,
    /// Why it ended.
    pub reason: ExitReason,
    /// When, by the engine's clock.
    pub at: Option<Timestamp>,
}

impl Exit {
    /// With this code, for this reason.
    pub const fn new(code: Option<i32>, reason: ExitReason) -> Self {
        Self { code, signal: None, oom_seen: false, reason, at: None }
    }
}

/// Why a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// Its command ended.
    Itself,
    /// It was stopped through this library.
    Stopped,
    /// It was killed through this library.
    Killed,
    /// Its life was over.
    Deadline,
    /// Whoever held it was gone.
    Lease,
    /// It was removed by somebody.
    Removed,
    /// Not known: another client, or the engine itself.
    Unknown,
}

impl ExitReason {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Deadline => "deadline",
            Self::Lease => "lease",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }
}

/// The kept part of a stream: its beginning, its end, and how much it was in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capped {
    /// The beginning.
    pub head: Vec<u8>,
    /// The end, where it does not fit into the beginning.
    pub tail: Vec<u8>,
    /// Bytes in all.
    pub total: u64,
    /// Bytes that are in neither.
    pub dropped: u64,
}

impl Capped {
    /// What is kept, with a line in place of what is not. Bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        if self.dropped == 0 {
            return format!("{head}{tail}");
        }
        format!("{head}\n[{} bytes left out]\n{tail}", self.dropped)
    }
}

/// A program that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub outcome: Outcome,
    /// Standard output; with a terminal, all output.
    pub stdout: Capped,
    /// Standard error.
    pub stderr: Capped,
    /// Memory ran out in the container while it ran: one of its children may have been the victim.
    pub oom_seen: bool,
}

/// What a running program tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecEvent {
    /// It runs, as this process of the container. The engine's own path does not know the number.
    Started {
        /// The process in the container.
        pid: Option<u32>,
    },
    /// Output.
    Out {
        /// Which stream.
        stream: Stream,
        /// Offset of the first byte in the stream.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Output that was lost, exactly these bytes.
    Gap {
        /// Which stream.
        stream: Stream,
        /// First offset that is missing.
        from: u64,
        /// First offset after it.
        to: u64,
    },
    /// A stream has ended, and the program still runs. Not every stream ends before its program.
    Eof {
        /// Which stream.
        stream: Stream,
    },
    /// It has ended, after all of its output. Always the last.
    Ended {
        /// How.
        outcome: Outcome,
        /// Memory ran out in the container while it ran: one of its children may have been the victim. Without
        /// the shim this is what the engine has noted of the container, which may be nothing.
        oom_seen: bool,
    },
}

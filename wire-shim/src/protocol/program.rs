//! A program: what to start, what is known of it, how it ended.

use std::fmt;

use minicbor::{Decode, Encode};

/// A program of the container: 16 bytes that its client has made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ExecId(#[cbor(with = "minicbor::bytes")] [u8; 16]);

impl ExecId {
    /// The container's own command.
    pub const MAIN: Self = Self([0; 16]);

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for ExecId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecId({self})")
    }
}

/// A stream of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Stream {
    /// Standard output; with a terminal, all output.
    #[n(1)]
    Stdout,
    /// Standard error.
    #[n(2)]
    Stderr,
}

impl Stream {
    /// Its place in an array of two.
    pub const fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

/// What happens to output that nobody reads in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Overflow {
    /// The program waits until a reader that holds has taken enough. Nothing is lost.
    #[default]
    #[n(0)]
    Block,
    /// The oldest bytes go; readers are told exactly which.
    #[n(1)]
    DropOldest,
    /// The program is ended, and its end is told as that of any other that was ended: by the signal.
    #[n(2)]
    Kill,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TtySize {
    /// Columns.
    #[n(0)]
    pub cols: u16,
    /// Rows.
    #[n(1)]
    pub rows: u16,
}

/// A program to start.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct ExecSpec {
    /// Its id.
    #[n(0)]
    pub id: ExecId,
    /// The program and its arguments. `argv[0]` with a slash is a path, else looked up in the `PATH` of
    /// `env`, or in the usual six folders if that has none.
    #[n(1)]
    pub argv: Vec<ArgBytes>,
    /// The whole environment. Of two with one name the last counts.
    #[n(2)]
    pub env: Vec<(ArgBytes, ArgBytes)>,
    /// The working folder.
    #[n(3)]
    pub cwd: ArgBytes,
    /// A terminal of this size instead of pipes.
    #[n(4)]
    pub tty: Option<TtySize>,
    /// Whether its standard input will come; otherwise it is empty.
    #[n(5)]
    pub stdin: bool,
    /// Milliseconds until it is ended.
    #[n(6)]
    pub timeout_ms: Option<u64>,
    /// Milliseconds between SIGTERM and SIGKILL when it is ended.
    #[n(7)]
    pub grace_ms: u64,
    /// Bytes of each stream that are kept, brought between [`RING_MIN`](super::RING_MIN) and [`RING_MAX`](super::RING_MAX); of a program that is
    /// not the container's command, at most a sixteenth of the container's memory, or 256 KiB if that is more.
    #[n(8)]
    pub ring: u64,
    /// What happens to output that nobody reads in time.
    #[n(9)]
    pub overflow: Overflow,
    /// The caller's own words for it, shown in lists.
    #[n(10)]
    pub tag: String,
    /// Whether it is ended when nobody has read it for [`ALONE_MS`](super::ALONE_MS).
    #[n(11)]
    pub tied: bool,
}

impl fmt::Debug for ExecSpec {
    /// Without arguments and environment: callers put secrets there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSpec")
            .field("id", &self.id)
            .field("argv", &format_args!("[{} arguments]", self.argv.len()))
            .field("env", &format_args!("[{} variables]", self.env.len()))
            .field("tty", &self.tty)
            .field("stdin", &self.stdin)
            .field("timeout_ms", &self.timeout_ms)
            .field("overflow", &self.overflow)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// An argument, a variable or a path: bytes, because Unix has no text there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct ArgBytes(#[cbor(with = "minicbor::bytes")] pub Vec<u8>);

impl From<&str> for ArgBytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for ArgBytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl fmt::Debug for ArgBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct End {
    /// What its first process did.
    #[n(0)]
    pub how: How,
    /// Who ended it.
    #[n(1)]
    pub cause: Cause,
    /// Bytes of standard output in all.
    #[n(2)]
    pub stdout: u64,
    /// Bytes of standard error in all.
    #[n(3)]
    pub stderr: u64,
    /// The container's count of processes ended for want of memory rose while it ran.
    #[n(4)]
    pub oom: bool,
    /// Other programs ran at the same time, so that the count may be theirs.
    #[n(5)]
    pub shared: bool,
    /// Nothing of its tree is left.
    #[n(6)]
    pub tree_gone: bool,
}

/// What the first process of a program did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum How {
    /// It ended by itself with this code.
    #[n(0)]
    Exited(#[n(0)] i32),
    /// This signal ended it.
    #[n(1)]
    Signaled(#[n(0)] i32),
    /// It never ran.
    #[n(2)]
    NotStarted {
        /// Why.
        #[n(0)]
        why: NotStarted,
        /// The system's own words.
        #[n(1)]
        detail: String,
    },
}

/// Why a program never ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum NotStarted {
    /// There is no such program.
    #[n(0)]
    NotFound,
    /// It may not be executed, or is no program.
    #[n(1)]
    NotExecutable,
    /// The working folder is not there, or may not be entered.
    #[n(2)]
    BadCwd,
    /// Anything else, such as no room for another process.
    #[n(3)]
    Other,
    /// Too many programs run or are remembered, or everything is being ended. No record is kept: the same
    /// id may be asked for again.
    #[n(4)]
    Busy,
}

/// Who ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Cause {
    /// Nobody: it ended by itself, or by a signal that the shim did not send.
    #[n(0)]
    Itself,
    /// Its own time-out.
    #[n(1)]
    Timeout,
    /// A client asked for it.
    #[n(2)]
    Kill,
    /// Its output was too much, under [`Overflow::Kill`].
    #[n(3)]
    Overflow,
    /// The container was stopped.
    #[n(4)]
    Stop,
    /// The container's deadline.
    #[n(5)]
    Deadline,
    /// The container's lease: nobody was there any more.
    #[n(6)]
    Lease,
    /// The process that watched over it was killed, by a program of the container or for want of memory.
    /// Its tree was ended then.
    #[n(7)]
    Unwatched,
}

/// A program in a list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExecInfo {
    /// Its id.
    #[n(0)]
    pub id: ExecId,
    /// The caller's own words for it.
    #[n(1)]
    pub tag: String,
    /// Its process, if it has started.
    #[n(2)]
    pub pid: Option<u32>,
    /// Bytes of standard output so far.
    #[n(3)]
    pub stdout: u64,
    /// Bytes of standard error so far.
    #[n(4)]
    pub stderr: u64,
    /// How it ended, if it has.
    #[n(5)]
    pub end: Option<End>,
    /// Milliseconds since it was started.
    #[n(6)]
    pub age_ms: u64,
}

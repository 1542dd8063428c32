//! A program to run in a container, and how much of it to keep.
//!
//! ```
//! use std::time::Duration;
//! use wire_core::spawn::Command;
//! let command = Command::new(["/bin/sh", "-c", "make test"])
//!     .cwd("/work")
//!     .env("LANG", "C.UTF-8")
//!     .timeout(Duration::from_secs(60));
//! assert_eq!(command.argv().len(), 3);
//! ```

use std::fmt;
use std::time::Duration;

use wire_shim::protocol::{Overflow, SIGNALS, TtySize};

use super::spec::User;

/// A program, its arguments and surroundings. Nothing of it is looked at by a shell. It is a whole tree: with the shim,
/// what it leaves running in the background ends with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: Option<String>,
    pub(crate) user: Option<User>,
    pub(crate) stdin: Stdin,
    pub(crate) tty: Option<TtySize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) output: OutputCap,
    pub(crate) overflow: Overflow,
    pub(crate) tag: String,
    pub(crate) tied: bool,
}

/// Where a program's standard input comes from. `Debug` leaves the bytes out.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Stdin {
    /// It is empty: reading it ends at once.
    #[default]
    Empty,
    /// These bytes, then its end.
    Bytes(Vec<u8>),
    /// Written through the running program's handle, until that closes it.
    Piped,
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Piped => f.write_str("Piped"),
        }
    }
}

/// How much of each stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputCap {
    /// Bytes of the beginning.
    pub head: usize,
    /// Bytes of the end.
    pub tail: usize,
}

impl Default for OutputCap {
    /// Half a MiB of each.
    fn default() -> Self {
        Self { head: 512 << 10, tail: 512 << 10 }
    }
}

/// A signal by its number on Linux, 1 to 31. Those above are for a program's own threads to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// Hang up.
    pub const HUP: Self = Self(1);
    /// Interrupt, as Ctrl-C sends it.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// End at once; cannot be caught.
    pub const KILL: Self = Self(9);
    /// The first of two that mean what the program says.
    pub const USR1: Self = Self(10);
    /// The second.
    pub const USR2: Self = Self(12);
    /// End.
    pub const TERM: Self = Self(15);

    /// The signal of that number, 1 to 31.
    pub fn from_number(number: i32) -> Option<Self> {
        SIGNALS.contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl Command {
    /// This program with these arguments. `argv[0]` with a slash is a path in the container, else it is
    /// looked up in `PATH`.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: None,
            user: None,
            stdin: Stdin::Empty,
            tty: None,
            timeout: None,
            grace: Duration::from_secs(5),
            output: OutputCap::default(),
            overflow: Overflow::Block,
            tag: String::new(),
            tied: false,
        }
    }

    /// The program and its arguments.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// A variable, on top of those of the container. The last one of a name counts.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The working folder; without it the container's.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<String>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Runs it as this user and group instead of the container's own, neither of them 0. The engine starts it
    /// then: it has none of the container's rights beyond those of its user, and as without the shim it cannot be
    /// ended, signalled or limited in time.
    #[must_use]
    pub const fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = Some(User { uid, gid });
        self
    }

    /// Its standard input; without it, empty.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// A terminal instead of pipes. All output then is one stream.
    #[must_use]
    pub fn tty(mut self, size: TtySize) -> Self {
        self.tty = Some(size);
        self
    }

    /// Ends the whole tree after this long: SIGTERM, then SIGKILL after the grace.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Between SIGTERM and SIGKILL, 5 s if not said.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How much of each stream a collected result keeps. Of what nobody has read yet, the container holds as much
    /// under [`Overflow::DropOldest`] and [`Overflow::Kill`], and at most 256 KiB under [`Overflow::Block`], where
    /// nothing is lost. It never holds more than a sixteenth of its memory, if that is over 256 KiB.
    #[must_use]
    pub fn output(mut self, cap: OutputCap) -> Self {
        self.output = cap;
        self
    }

    /// What happens when nobody reads the output in time; `Block` if not said.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Your own words for it, shown in lists.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Ends it 15 s after nobody reads it any more, because who did has let go of it or was killed. Without this it
    /// goes on. Needs the shim.
    #[must_use]
    pub const fn tied(mut self) -> Self {
        self.tied = true;
        self
    }
}

impl fmt::Debug for Command {
    /// Without arguments, environment and input: callers put secrets there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("argv", &format_args!("[{} arguments]", self.argv.len()))
            .field("env", &format_args!("[{} variables]", self.env.len()))
            .field("cwd", &self.cwd)
            .field("user", &self.user)
            .field("tty", &self.tty)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("overflow", &self.overflow)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_one_that_the_shim_can_send() {
        for number in [1, 15, 31] {
            assert_eq!(Signal::from_number(number).map(Signal::number), Some(number));
        }
        for number in [0, -1, 32, 34, 64] {
            assert_eq!(Signal::from_number(number), None);
        }
    }
}

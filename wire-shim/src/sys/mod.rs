//! What the program asks of the system, in terms that the rest of it uses.

pub(crate) mod fds;
pub(crate) mod tree;

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
use rustix::time::{ClockId, clock_gettime};

/// This program, for another stage of itself.
pub(crate) const SELF: &str = "/proc/self/exe";

/// Milliseconds since the machine's start, its sleep included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(u64);

impl Millis {
    /// The time now.
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Self(seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000)
    }

    /// That much later.
    pub(crate) const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How much later than `earlier`.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Nobody of the same user may read this process's memory or take its descriptors. The programs run as the
/// same user, so this comes before anything else.
pub(crate) fn shield() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Descendants whose parent ends become children of this process.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Takes these signals as something to read, and blocks every signal that can be blocked, which children
/// inherit.
pub(crate) fn signals(which: &[Signal]) -> io::Result<SignalFd> {
    SigSet::all().thread_block()?;
    let mut mask = SigSet::empty();
    which.iter().for_each(|signal| mask.add(*signal));
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

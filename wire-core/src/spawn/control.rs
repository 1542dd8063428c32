//! The controls that lock a container down: one name for each, in the spec, the report and the attestation.
//!
//! A relaxation declares the set of controls that it flips, the attestation has one row for each control,
//! and a test compares the two: so nobody can loosen more than what is said.
//!
//! ```
//! use wire_core::spawn::Control;
//! assert_eq!(Control::Rootfs.name(), "rootfs");
//! assert_eq!("rootfs".parse(), Ok(Control::Rootfs));
//! assert!(Control::ALL.contains(&Control::Rootfs));
//! ```

use std::fmt;
use std::str::FromStr;

macro_rules! controls {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One thing that locks a container down, and that can be looked at from inside.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Control {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Control {
            /// All of them, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name, for programs and tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

controls! {
    /// Runs as the user and group that were asked for, never as 0, with no other groups.
    User = "user",
    /// All five sets of capabilities are empty, for uid 0 too.
    Caps = "caps",
    /// No program can gain privileges by being executed.
    NoNewPrivs = "no_new_privs",
    /// A filter of system calls is in force.
    Seccomp = "seccomp",
    /// Each tried system call is answered as our own profile says, by every way into the kernel.
    Syscalls = "syscalls",
    /// The image's files cannot be written.
    Rootfs = "rootfs",
    /// The kernel's settings cannot be written, its secrets cannot be read.
    Proc = "proc",
    /// `/tmp`: size, owner, and nothing in it can be executed.
    Tmp = "tmp",
    /// `/run/wire`: size, owner, and nobody else may look in.
    RunWire = "run_wire",
    /// The limit of memory.
    Memory = "memory",
    /// No swap on top of the memory.
    Swap = "swap",
    /// The limit of processes.
    Pids = "pids",
    /// The share of the processors.
    Cpu = "cpu",
    /// No interface but `lo`, and no way out.
    Network = "network",
    /// No shared memory, or as much as was asked for.
    Ipc = "ipc",
    /// Own namespaces, none of the host's.
    Namespaces = "namespaces",
    /// The first process is ours.
    Init = "init",
    /// The limit of open files.
    Nofile = "nofile",
    /// No core dumps.
    Core = "core",
    /// The environment has the names that were asked for, and none that change how programs are loaded.
    Env = "env",
    /// The mounts that were asked for, and no other.
    Mounts = "mounts",
    /// The devices of every container, and no other.
    Devices = "devices",
    /// Users of the container are not users of the host.
    Userns = "userns",
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Control {
    type Err = UnknownControl;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|c| c.name() == name).ok_or(UnknownControl)
    }
}

/// No control has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no control has that name")]
pub struct UnknownControl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_and_reads_back() {
        for (i, control) in Control::ALL.iter().enumerate() {
            assert_eq!(control.name().parse(), Ok(*control));
            assert!(Control::ALL[i + 1..].iter().all(|other| other.name() != control.name()));
        }
        assert_eq!("".parse::<Control>(), Err(UnknownControl));
    }
}

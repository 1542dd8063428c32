//! The only ways out of the defaults. Each is named, recorded in the report and in the spec's hash, and
//! declares the rows of the attestation that it changes.
//!
//! ```
//! use wire_core::spawn::{Control, Relaxation};
//! assert_eq!(Relaxation::WritableRoot.flips(), [Control::Rootfs]);
//! assert_eq!(Relaxation::Shm { size: 64 << 20 }.name(), "shm");
//! ```

use super::control::Control;
use super::limits::Resource;

/// A default that does not hold, by the caller's word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Relaxation {
    /// Programs in `/tmp` may be executed.
    ExecTmp,
    /// The image's files may be written, into a layer that nothing bounds.
    WritableRoot,
    /// Shared memory of this many bytes at `/dev/shm`: 64 KiB up to the memory.
    Shm {
        /// Bytes.
        size: u64,
    },
    /// The spec holds even if the engine cannot limit this: memory, swap, cpu or pids. Where it can, it is
    /// limited all the same.
    Unlimited(Resource),
    /// Recorded for [`Mount::Bind`](super::Mount::Bind): a folder or file of the host.
    Bind {
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// Recorded for [`Mount::Volume`](super::Mount::Volume): storage that nothing bounds.
    Volume {
        /// Where it is in the container.
        target: String,
        /// Whether it may be written.
        writable: bool,
    },
    /// Recorded for a [`Mount::Tmpfs`](super::Mount::Tmpfs) in which programs may be executed.
    ExecTmpfs {
        /// Where it is in the container.
        target: String,
    },
    /// Recorded for [`Network::Named`](super::Network::Named).
    Network {
        /// Its name.
        name: String,
    },
    /// Recorded for a runtime that was named, and is not `runc`.
    Runtime {
        /// Its name.
        name: String,
    },
    /// Recorded for a container without the shim: its first process is the engine's.
    NoShim,
}

impl Relaxation {
    /// The stable word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ExecTmp => "exec_tmp",
            Self::WritableRoot => "writable_root",
            Self::Shm { .. } => "shm",
            Self::Unlimited(_) => "unlimited",
            Self::Bind { .. } => "bind",
            Self::Volume { .. } => "volume",
            Self::ExecTmpfs { .. } => "exec_tmpfs",
            Self::Network { .. } => "network",
            Self::Runtime { .. } => "runtime",
            Self::NoShim => "no_shim",
        }
    }

    /// The rows of the attestation that are then different, and no other.
    ///
    /// A runtime that is no `runc` is another machine: nothing that its inside says can be compared with
    /// what `runc` gives, so a test of that runtime has to say which rows it shows.
    pub fn flips(&self) -> &'static [Control] {
        match self {
            Self::ExecTmp => &[Control::Tmp],
            Self::WritableRoot => &[Control::Rootfs],
            Self::Shm { .. } => &[Control::Ipc],
            Self::Unlimited(Resource::Memory) => &[Control::Memory],
            Self::Unlimited(Resource::Swap) => &[Control::Swap],
            Self::Unlimited(Resource::Cpu) => &[Control::Cpu],
            Self::Unlimited(Resource::Pids) => &[Control::Pids],
            Self::Unlimited(_) => &[],
            Self::Bind { .. } | Self::Volume { .. } | Self::ExecTmpfs { .. } => &[Control::Mounts],
            Self::Network { .. } => &[Control::Network],
            Self::Runtime { .. } => &[Control::Seccomp, Control::Syscalls, Control::NoNewPrivs],
            Self::NoShim => &[Control::Init],
        }
    }

    /// Whether a caller may ask for it with [`SpawnSpec::relax`](super::SpawnSpec::relax). The others are
    /// recorded for what was asked for in another way.
    pub const fn is_asked_directly(&self) -> bool {
        matches!(
            self,
            Self::ExecTmp
                | Self::WritableRoot
                | Self::Shm { .. }
                | Self::Unlimited(Resource::Memory | Resource::Swap | Resource::Cpu | Resource::Pids)
        )
    }

    /// Bytes of shared memory, if it is that.
    pub const fn shm_size(&self) -> Option<u64> {
        if let Self::Shm { size } = self { Some(*size) } else { None }
    }
}

//! What an engine is and can enforce, as it says itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A container engine, as probed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineFacts {
    /// Which engine answers.
    pub kind: EngineKind,
    /// Its version.
    pub version: String,
    /// The versions of its parts, by their names: `containerd`, `runc`, ...
    pub components: BTreeMap<String, String>,
    /// Its newest API version, such as (1, 41).
    pub api: (u32, u32),
    /// 1 or 2.
    pub cgroup: u8,
    /// It filters system calls.
    pub seccomp: bool,
    /// It confines with AppArmor.
    pub apparmor: bool,
    /// It runs without root.
    pub rootless: bool,
    /// Users of containers are not users of the host.
    pub userns: bool,
    /// Containers outlive a restart of the engine.
    pub live_restore: bool,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Names of its runtimes.
    pub runtimes: BTreeSet<String>,
    /// The runtime that it uses if none is named.
    pub default_runtime: String,
    /// Where images and layers lie: `overlay2`, ...
    pub storage: String,
    /// Where it keeps images, layers and volumes on its machine.
    pub root: PathBuf,
    /// `amd64`, `arm64`, ... as images name it.
    pub arch: String,
    /// The largest hard limit of open files that a container may get, if that can be known.
    pub hard_nofile: Option<u64>,
    /// The numbers of this process's namespaces, by kind, where it is on the engine's machine: no container of
    /// ours is in one of them. Empty where that cannot be known.
    pub host_namespaces: BTreeMap<String, u64>,
    /// The limits of memory, swap, processors and processes that the engine can hold.
    pub limits: LimitSupport,
}

/// Which container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineKind {
    /// Docker Engine.
    Docker,
    /// Podman, behind Docker's API.
    Podman,
    /// Something else.
    Other,
}

/// Something that an engine may have beyond what every container gets, and that a spec can insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Requirement {
    /// It confines with AppArmor.
    AppArmor,
    /// Users of containers are not users of the host. The attestation shows it.
    Userns,
    /// It runs without root.
    Rootless,
}

impl Requirement {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppArmor => "apparmor",
            Self::Userns => "userns",
            Self::Rootless => "rootless",
        }
    }

    /// Whether the engine has it.
    pub const fn holds(self, facts: &EngineFacts) -> bool {
        match self {
            Self::AppArmor => facts.apparmor,
            Self::Userns => facts.userns || facts.rootless,
            Self::Rootless => facts.rootless,
        }
    }
}

/// Which limits the engine can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitSupport {
    /// Memory.
    pub memory: bool,
    /// Swap.
    pub swap: bool,
    /// Share of a processor.
    pub cpu: bool,
    /// Processes.
    pub pids: bool,
}

/// How far a runtime holds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforce {
    /// It cannot be passed.
    Hard,
    /// It is watched, and may be passed for a while.
    Soft,
    /// It is not held.
    No,
}

/// What separates a program from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// Nothing.
    None,
    /// Another process.
    Process,
    /// A WebAssembly machine.
    Wasm,
    /// Namespaces and control groups of the host's kernel.
    Container,
    /// A kernel in user space.
    UserKernel,
    /// A virtual machine.
    Vm,
}

impl RuntimeFacts {
    /// Nothing but that.
    pub const fn new(isolation: Isolation) -> Self {
        let no = Enforce::No;
        Self { isolation, memory: no, cpu: no, pids: no, disk: no, network: no, wall: no }
    }
}

/// What a runtime can honestly promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeFacts {
    /// What separates a program from its host.
    pub isolation: Isolation,
    /// Memory.
    pub memory: Enforce,
    /// Share of a processor.
    pub cpu: Enforce,
    /// Processes.
    pub pids: Enforce,
    /// Bytes on disk.
    pub disk: Enforce,
    /// No network.
    pub network: Enforce,
    /// Time that it may live.
    pub wall: Enforce,
}

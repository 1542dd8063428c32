//! What a container should be like inside: the defaults, until a spec says otherwise (`of_spec`).

use std::collections::{BTreeMap, BTreeSet};

use crate::spawn::control::Control;

/// What a container should be like inside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// User and group.
    pub user: (u32, u32),
    /// Bytes of memory.
    pub memory: u64,
    /// Processes.
    pub pids: u32,
    /// Billionths of a processor.
    pub nano_cpus: u64,
    /// Open files.
    pub nofile: u64,
    /// Bytes of `/tmp`.
    pub tmp: u64,
    /// Bytes of `/run/wire`, if there is one.
    pub run_wire: Option<u64>,
    /// Bytes of `/dev/shm`, where [`Control::Ipc`] is loosened.
    pub shm: u64,
    /// The path of the first process.
    pub init: String,
    /// Names of the environment; those that every engine sets need not be among them. `None` where they
    /// are not known: then only those that change how programs are loaded are refused.
    pub env: Option<BTreeSet<String>>,
    /// What the spec mounts, by path. What every container has, and the shim's folder, is not in it.
    pub mounts: BTreeMap<String, ExpectedMount>,
    /// There is a terminal, which is a device.
    pub tty: bool,
    /// Users of the container must not be users of the host.
    pub userns: bool,
    /// The numbers of the host's namespaces, by kind, if the asker lives there. Without them only those
    /// of a kernel's first processes are known.
    pub host_namespaces: BTreeMap<String, u64>,
    /// How many processes there are at most, where that is known because no program runs yet. Otherwise no
    /// more than the limit of processes allows.
    pub processes: Option<u32>,
    /// Controls that the spec's relaxations flip.
    pub relaxed: BTreeSet<Control>,
}

/// What the spec mounts at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedMount {
    /// Something of the host, or a volume. It loosens [`Control::Mounts`].
    Outside {
        /// It may be written.
        writable: bool,
    },
    /// Memory. It loosens [`Control::Mounts`] if programs in it may be executed.
    Tmpfs {
        /// Bytes.
        size: u64,
        /// Programs in it may be executed.
        exec: bool,
    },
}

impl Default for Expected {
    /// The defaults of the hardening.
    fn default() -> Self {
        Self {
            user: (65532, 65532),
            memory: 512 << 20,
            pids: 256,
            nano_cpus: 1_000_000_000,
            nofile: 1024,
            tmp: 64 << 20,
            run_wire: Some(1 << 20),
            shm: 0,
            init: wire_shim::PATH.to_owned(),
            env: None,
            mounts: BTreeMap::new(),
            tty: false,
            userns: false,
            host_namespaces: BTreeMap::new(),
            processes: None,
            relaxed: BTreeSet::new(),
        }
    }
}

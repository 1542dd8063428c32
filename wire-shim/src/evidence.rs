//! What an attestor has seen from inside a container: facts, no verdicts.
//!
//! 1. The one who asks sends a nonce, so that an old answer is no answer.
//! 2. The attestor reads and tries (`probe`), and encodes an [`Evidence`].
//! 3. `wire_core::spawn::Attestation` decodes it and compares it with what was asked for.
//!
//! It proves what the container was like when it was asked, against a wrong configuration. It is no proof
//! against a kernel that was broken into, and who answers is whoever the asker is connected with.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};

/// The version of the structure.
pub const VERSION: u32 = 1;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Evidence {
    /// [`VERSION`].
    #[n(0)]
    pub version: u32,
    /// The asker's.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub nonce: Vec<u8>,
    /// The machine's name for its architecture: `x86_64`, `aarch64`.
    #[n(2)]
    pub machine: String,
    /// The kernel's version.
    #[n(3)]
    pub kernel: String,
    /// The attestor itself, as the kernel lists it.
    #[n(4)]
    pub status: Status,
    /// The first process.
    #[n(5)]
    pub init: Init,
    /// Namespaces: kind to number.
    #[n(6)]
    pub namespaces: BTreeMap<String, u64>,
    /// Users of the container and of its parent.
    #[n(7)]
    pub uid_map: Vec<IdRange>,
    /// Mounts, in the kernel's order.
    #[n(8)]
    pub mounts: Vec<Mount>,
    /// What came of trying to create a file in folders of the image.
    #[n(9)]
    pub writes: BTreeMap<String, Answer>,
    /// What came of trying to change the mode of the kernel's files.
    #[n(10)]
    pub kernel_writes: BTreeMap<String, Answer>,
    /// Folders of tmpfs, and what lies at other paths that matter. Those that are not there are not in it.
    #[n(11)]
    pub places: BTreeMap<String, Place>,
    /// What came of executing a file that was made in `/tmp`.
    #[n(12)]
    pub tmp_exec: Answer,
    /// Network interfaces.
    #[n(13)]
    pub interfaces: Vec<String>,
    /// What came of connecting to an address that nobody has.
    #[n(14)]
    pub connect: Answer,
    /// Entries of `/dev`, with the numbers of those that are devices.
    #[n(15)]
    pub devices: BTreeMap<String, Option<(u32, u32)>>,
    /// Limits of the process: name to soft and hard.
    #[n(16)]
    pub limits: BTreeMap<String, (u64, u64)>,
    /// Limits of the control group.
    #[n(17)]
    pub cgroup: Cgroup,
    /// Names in the environment, without values.
    #[n(18)]
    pub env: Vec<String>,
    /// System calls that were tried: name and way to what came of it.
    #[n(19)]
    pub calls: Vec<Call>,
    /// What came of giving an own file to user 0 (as user 0: to user 1).
    #[n(20)]
    pub chown: Answer,
}

/// A process's own lines of `/proc/self/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Status {
    /// Real, effective, saved and file system user.
    #[n(0)]
    pub uid: Vec<u32>,
    /// The same of the group.
    #[n(1)]
    pub gid: Vec<u32>,
    /// Further groups.
    #[n(2)]
    pub groups: Vec<u32>,
    /// Sets of capabilities: `CapInh`, `CapPrm`, `CapEff`, `CapBnd`, `CapAmb`.
    #[n(3)]
    pub caps: BTreeMap<String, u64>,
    /// `NoNewPrivs`. Not every runtime shows it.
    #[n(4)]
    pub no_new_privs: Option<u32>,
    /// `Seccomp`: 2 is a filter.
    #[n(5)]
    pub seccomp: Option<u32>,
    /// `Seccomp_filters`: how many.
    #[n(6)]
    pub seccomp_filters: Option<u32>,
}

/// What is seen of the first process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Init {
    /// The name that it has for the kernel, at most 15 bytes.
    #[n(0)]
    pub name: Option<String>,
    /// The path that it was started by.
    #[n(1)]
    pub path: Option<String>,
    /// How many processes there are.
    #[n(2)]
    pub processes: u32,
}

/// A line of `/proc/self/uid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IdRange {
    /// First inside.
    #[n(0)]
    pub inside: u32,
    /// First outside.
    #[n(1)]
    pub outside: u32,
    /// How many.
    #[n(2)]
    pub count: u32,
}

/// A line of `/proc/self/mountinfo`, without where on the host its files lie.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mount {
    /// Where.
    #[n(0)]
    pub at: String,
    /// The kind of file system.
    #[n(1)]
    pub kind: String,
    /// Options of the mount: `ro`, `nosuid`, ...
    #[n(2)]
    pub options: Vec<String>,
    /// Options of the file system: `size=`, `mode=`; of a layered one only `ro` or `rw`.
    #[n(3)]
    pub fs_options: Vec<String>,
}

impl Mount {
    /// Whether it has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }

    /// The value of `name=` among the file system's options.
    pub fn fs_value(&self, name: &str) -> Option<&str> {
        self.fs_options.iter().find_map(|o| o.strip_prefix(name)?.strip_prefix('='))
    }
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// Its user.
    #[n(0)]
    pub uid: u32,
    /// Its group.
    #[n(1)]
    pub gid: u32,
    /// Its permissions, without the kind.
    #[n(2)]
    pub mode: u32,
    /// Bytes that its file system holds.
    #[n(3)]
    pub bytes: u64,
}

/// Limits of the own control group, as far as it can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Cgroup {
    /// 1, 2, or 0 where none is seen.
    #[n(0)]
    pub version: u32,
    /// Bytes of memory.
    #[n(1)]
    pub memory: Limit,
    /// Bytes of memory and swap together.
    #[n(2)]
    pub memory_and_swap: Limit,
    /// Processes.
    #[n(3)]
    pub pids: Limit,
    /// Microseconds of processor time in each [`Self::cpu_period`].
    #[n(4)]
    pub cpu_quota: Limit,
    /// Microseconds.
    #[n(5)]
    pub cpu_period: Limit,
}

/// A limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Limit {
    /// It cannot be seen.
    #[default]
    #[n(0)]
    Unseen,
    /// There is none.
    #[n(1)]
    Max,
    /// This much.
    #[n(2)]
    At(#[n(0)] u64),
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// It was not tried.
    #[n(0)]
    Untried,
    /// It worked.
    #[n(1)]
    Done,
    /// The kernel refused it with this error number.
    #[n(2)]
    Errno(#[n(0)] u32),
    /// The process that tried was ended by this signal.
    #[n(3)]
    Signal(#[n(0)] u32),
}

/// A way into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Way {
    /// The architecture's own.
    #[n(0)]
    Native,
    /// `int 0x80`, as i386 programs do.
    #[n(1)]
    I386,
    /// x86-64 with 32-bit pointers.
    #[n(2)]
    X32,
}

/// A system call that was tried with harmless arguments.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Call {
    /// Its name, and in brackets what is special about the arguments.
    #[n(0)]
    pub name: String,
    /// How.
    #[n(1)]
    pub way: Way,
    /// What came of it.
    #[n(2)]
    pub answer: Answer,
}

/// Bytes that are no evidence of this version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// No such structure.
    #[error("the evidence cannot be read")]
    Garbled,
    /// Another version of it.
    #[error("the evidence has version {0}, not {VERSION}")]
    Version(u32),
}

impl Evidence {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to a vector does not fail.
        let _ = minicbor::encode(self, &mut bytes);
        bytes
    }

    /// From bytes: all of them, and of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        /// Only the version, which every version has in this place.
        #[derive(Decode)]
        #[cbor(map)]
        struct Head {
            #[n(0)]
            version: u32,
        }
        let head: Head = minicbor::decode(bytes).map_err(|_| EvidenceError::Garbled)?;
        if head.version != VERSION {
            return Err(EvidenceError::Version(head.version));
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let evidence = decoder.decode().map_err(|_| EvidenceError::Garbled)?;
        if decoder.position() != bytes.len() {
            return Err(EvidenceError::Garbled);
        }
        Ok(evidence)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untried => f.write_str("not tried"),
            Self::Done => f.write_str("done"),
            Self::Errno(number) => match errno_name(*number) {
                Some(name) => f.write_str(name),
                None => write!(f, "errno {number}"),
            },
            Self::Signal(4) => f.write_str("SIGILL"),
            Self::Signal(11) => f.write_str("SIGSEGV"),
            Self::Signal(14) => f.write_str("SIGALRM"),
            Self::Signal(31) => f.write_str("SIGSYS"),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::I386 => "i386",
            Self::X32 => "x32",
        })
    }
}

/// The numbers that are the same on all architectures of Linux that there is a shim for.
const fn errno_name(number: u32) -> Option<&'static str> {
    Some(match number {
        1 => "EPERM",
        2 => "ENOENT",
        3 => "ESRCH",
        8 => "ENOEXEC",
        9 => "EBADF",
        11 => "EAGAIN",
        13 => "EACCES",
        14 => "EFAULT",
        17 => "EEXIST",
        19 => "ENODEV",
        20 => "ENOTDIR",
        22 => "EINVAL",
        28 => "ENOSPC",
        30 => "EROFS",
        38 => "ENOSYS",
        93 => "EPROTONOSUPPORT",
        95 => "EOPNOTSUPP",
        97 => "EAFNOSUPPORT",
        99 => "EADDRNOTAVAIL",
        101 => "ENETUNREACH",
        110 => "ETIMEDOUT",
        111 => "ECONNREFUSED",
        113 => "EHOSTUNREACH",
        115 => "EINPROGRESS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            version: VERSION,
            nonce: vec![7; 16],
            machine: "x86_64".into(),
            kernel: "6.1".into(),
            status: Status { uid: vec![65532; 4], ..Status::default() },
            init: Init::default(),
            namespaces: BTreeMap::from([("net".into(), 1)]),
            uid_map: vec![IdRange { inside: 0, outside: 0, count: u32::MAX }],
            mounts: vec![Mount {
                at: "/tmp".into(),
                kind: "tmpfs".into(),
                options: vec!["rw".into()],
                fs_options: vec!["rw".into(), "size=64k".into()],
            }],
            writes: BTreeMap::from([("/".into(), Answer::Errno(30))]),
            kernel_writes: BTreeMap::new(),
            places: BTreeMap::from([("/tmp".into(), Place { uid: 1, gid: 2, mode: 0o700, bytes: 65536 })]),
            tmp_exec: Answer::Errno(13),
            interfaces: vec!["lo".into()],
            connect: Answer::Errno(101),
            devices: BTreeMap::from([("null".into(), Some((1, 3))), ("fd".into(), None)]),
            limits: BTreeMap::from([("nofile".into(), (1024, 1024))]),
            cgroup: Cgroup { version: 1, memory: Limit::At(1), pids: Limit::Max, ..Cgroup::default() },
            env: vec!["PATH".into()],
            calls: vec![Call { name: "ptrace".into(), way: Way::I386, answer: Answer::Signal(31) }],
            chown: Answer::Errno(1),
        }
    }

    #[test]
    fn it_reads_back() {
        let evidence = evidence();
        assert_eq!(Evidence::decode(&evidence.encode()).unwrap(), evidence);
    }

    #[test]
    fn another_version_is_told_from_garbage() {
        let newer = Evidence { version: 2, ..evidence() };
        assert!(matches!(Evidence::decode(&newer.encode()), Err(EvidenceError::Version(2))));
        let mut longer = evidence().encode();
        longer.push(0);
        assert!(matches!(Evidence::decode(&longer), Err(EvidenceError::Garbled)));
    }

    #[test]
    fn no_cut_is_evidence() {
        let bytes = evidence().encode();
        for cut in 0..bytes.len() {
            assert!(Evidence::decode(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn options_are_found_by_their_whole_name() {
        let evidence = evidence();
        assert_eq!(evidence.mounts[0].fs_value("size"), Some("64k"));
        assert_eq!(evidence.mounts[0].fs_value("siz"), None);
        assert!(evidence.mounts[0].has("rw") && !evidence.mounts[0].has("r"));
    }
}

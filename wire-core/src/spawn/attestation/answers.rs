//! What should come of each system call that the attestor tries, under our own profile.

use wire_shim::evidence::{Answer, Call, Way};

use crate::spawn::seccomp::Arch;

/// What should come of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The filter refuses it: EPERM, or ENOSYS where the engine takes it for newer than the profile.
    Refused,
    /// The filter says that there is no such call.
    Absent,
    /// The kernel looks at it.
    Through,
    /// As above, or the kernel does not have it: it is newer than the oldest kernel.
    ThroughOrNew,
    /// The process that tries is ended. SIGSEGV where the kernel itself has no such way in.
    Killed,
}

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const SIGSEGV: u32 = 11;
const SIGSYS: u32 = 31;

impl Want {
    fn fits(self, answer: Answer) -> bool {
        match self {
            Self::Refused => matches!(answer, Answer::Errno(EPERM | ENOSYS)),
            Self::Absent => answer == Answer::Errno(ENOSYS),
            Self::Through => match answer {
                Answer::Done => true,
                Answer::Errno(number) => number != EPERM && number != ENOSYS,
                Answer::Untried | Answer::Signal(_) => false,
            },
            Self::ThroughOrNew => Self::Through.fits(answer) || answer == Answer::Errno(ENOSYS),
            Self::Killed => matches!(answer, Answer::Signal(SIGSYS | SIGSEGV)),
        }
    }
}

/// The calls that were answered otherwise than they should, or not at all.
pub(super) struct Compared<'a> {
    /// How many there should be.
    pub(super) rows: usize,
    /// Answered otherwise.
    pub(super) wrong: Vec<&'a Call>,
    /// Not tried, or not in the evidence.
    pub(super) missing: Vec<String>,
}

/// Compares the calls with the table. What is not in the table is not looked at.
pub(super) fn compare(calls: &[Call], arch: Arch) -> Compared<'_> {
    let mut compared = Compared { rows: 0, wrong: Vec::new(), missing: Vec::new() };
    let native = NATIVE.iter().map(|(want, names)| (*want, Way::Native, *names));
    let foreign = AMD64.iter().filter(|_| arch == Arch::Amd64).copied();
    for (want, way, names) in native.chain(foreign) {
        for name in names {
            compared.rows += 1;
            match calls.iter().find(|c| c.name == *name && c.way == way) {
                Some(Call { answer: Answer::Untried, .. }) | None => {
                    compared.missing.push(format!("{name} ({way})"))
                }
                Some(call) if !want.fits(call.answer) => compared.wrong.push(call),
                Some(_) => {}
            }
        }
    }
    compared
}

const NATIVE: &[(Want, &[&str])] = &[
    (
        Want::Through,
        &[
            "socket(AF_UNIX)",
            "socket(AF_INET)",
            "socket(AF_INET6)",
            "socket(AF_NETLINK, ROUTE)",
            "socketpair(AF_UNIX)",
            "clone",
            "personality(0xffffffff)",
            "membarrier",
            "futex",
            "memfd_create",
            "statx",
            "copy_file_range",
            "mknodat(FIFO)",
        ],
    ),
    (Want::ThroughOrNew, &["pidfd_open", "rseq", "landlock_create_ruleset", "openat2", "faccessat2"]),
    (
        Want::Absent,
        &["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "set_mempolicy", "mbind"],
    ),
    (
        Want::Refused,
        &[
            "socket(AF_NETLINK, SOCK_DIAG)",
            "socket(AF_NETLINK, UEVENT)",
            "socket(AF_NETLINK, high|UEVENT)",
            "socket(AF_PACKET)",
            "socket(AF_ALG)",
            "socket(AF_VSOCK)",
            "socket(high|AF_VSOCK)",
            "socket(high|AF_NETLINK)",
            "socketpair(high|AF_UNIX)",
            "clone(NEWUSER)",
            "clone(high|NEWUSER)",
            "clone(NEWUSER|NEWNS)",
            "unshare(0)",
            "unshare(NEWUSER)",
            "setns",
            "personality(ADDR_NO_RANDOMIZE)",
            "personality(high|0xffffffff)",
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "process_madvise",
            "pidfd_getfd",
            "kcmp",
            "move_pages",
            "migrate_pages",
            "bpf",
            "keyctl",
            "add_key",
            "request_key",
            "userfaultfd",
            "perf_event_open",
            "fanotify_init",
            "memfd_secret",
            "remap_file_pages",
            "mknodat(device)",
            "mknodat(high|device)",
            "name_to_handle_at",
            "open_by_handle_at",
            "vmsplice",
            "mount",
            "umount2",
            "pivot_root",
            "chroot",
            "open_tree",
            "move_mount",
            "fsopen",
            "mount_setattr",
            "quotactl",
            "clock_adjtime",
            "adjtimex",
            "clock_settime",
            "settimeofday",
            "syslog",
            "sethostname",
            "init_module",
            "finit_module",
            "kexec_load",
            "reboot",
            "swapon",
            "acct",
        ],
    ),
];

/// What only x86-64 has.
const AMD64: &[(Want, Way, &[&str])] = &[
    (Want::Refused, Way::Native, &["iopl", "ioperm", "modify_ldt"]),
    (Want::Killed, Way::X32, &["getpid"]),
    (Want::Killed, Way::I386, &["getpid", "socketcall"]),
];

/// Every call answered as it should be.
#[cfg(test)]
pub(super) fn ideal(arch: Arch) -> Vec<Call> {
    let native = NATIVE.iter().map(|(want, names)| (*want, Way::Native, *names));
    let foreign = AMD64.iter().filter(|_| arch == Arch::Amd64).copied();
    let rows =
        native.chain(foreign).flat_map(|(want, way, names)| names.iter().map(move |n| (want, way, *n)));
    rows.map(|(want, way, name)| {
        let answer = match want {
            Want::Refused => Answer::Errno(EPERM),
            Want::Absent => Answer::Errno(ENOSYS),
            Want::Through | Want::ThroughOrNew => Answer::Done,
            Want::Killed => Answer::Signal(SIGSYS),
        };
        Call { name: name.to_owned(), way, answer }
    })
    .collect()
}

//! The system calls that a container may make: our own list, sent to the engine with each container.
//!
//! 1. `CALLS` names every call that is let through, in groups with a reason, and `CONDITIONAL` those that
//!    are let through with some arguments only. What is in neither is refused: what is new, what
//!    needs a capability, and what has let programs out before.
//! 2. [`profile`] words that as the engine takes it inline (`seccomp={..}`), [`fingerprint`] names it.
//! 3. The attestor tries calls from inside; `attestation` compares the answers.
//!
//! Three facts shape the conditions:
//! - The filter sees arguments of 64 bits where the kernel takes 32 (`int domain` of `socket(2)`). Only
//!   "equal" and "equal under a mask" are safe then: a high bit makes the first fail closed, and the
//!   second not see it, as the kernel does not. "Not equal", "less" and "greater" would be passed by
//!   setting one, so they are not used.
//! - A call can also come as i386 or x32, with other numbers and `socketcall`. The profile has the native
//!   architecture only; libseccomp ends any other with SIGSYS.
//! - Names that the engine's libseccomp does not know are dropped by it, in silence. In a list of what is
//!   allowed that is harmless; in one of what is refused it would be a hole.
//!
//! ```
//! use wire_core::spawn::seccomp::{Arch, fingerprint, profile};
//! let profile = profile(Arch::Amd64);
//! assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
//! assert_eq!(fingerprint(Arch::Amd64).len(), 64);
//! ```

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An architecture that there is a profile for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl Arch {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Amd64, Self::Arm64];

    /// By the name that an engine, an image or a kernel has for it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "amd64" | "x86_64" | "x86-64" => Some(Self::Amd64),
            "arm64" | "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// The name in images.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    const fn libseccomp(self) -> &'static str {
        match self {
            Self::Amd64 => "SCMP_ARCH_X86_64",
            Self::Arm64 => "SCMP_ARCH_AARCH64",
        }
    }
}

/// The profile, as the engine takes it after `seccomp=`.
pub fn profile(arch: Arch) -> Value {
    let mut rules = vec![json!({ "names": names(arch), "action": "SCMP_ACT_ALLOW" })];
    rules.extend(CONDITIONAL.iter().filter(|c| c.on.has(arch)).map(|c| {
        let args: Vec<Value> = c.when.iter().map(Test::to_json).collect();
        json!({ "names": [c.name], "action": "SCMP_ACT_ALLOW", "args": args })
    }));
    rules.push(json!({ "names": ABSENT, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS }));
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [arch.libseccomp()],
        "syscalls": rules,
    })
}

/// The SHA-256 of the profile's meaning, in hexadecimal: the same for as long as nothing changes in what
/// is let through, whatever the order of fields in the JSON.
pub fn fingerprint(arch: Arch) -> String {
    let mut text = format!("wire seccomp 1\n{}\n", arch.libseccomp());
    for name in names(arch) {
        text.push_str(&format!("allow {name}\n"));
    }
    for rule in CONDITIONAL.iter().filter(|c| c.on.has(arch)) {
        text.push_str(&format!("allow {} {:x?}\n", rule.name, rule.when));
    }
    for name in ABSENT {
        text.push_str(&format!("enosys {name}\n"));
    }
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// Names that are let through with any arguments, sorted.
fn names(arch: Arch) -> Vec<&'static str> {
    let mut names: Vec<_> =
        CALLS.iter().filter(|g| g.on.has(arch)).flat_map(|g| g.names.split_whitespace()).collect();
    names.sort_unstable();
    names
}

const ENOSYS: u32 = 38;

/// Where a call exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    /// The calls of the first ABI, which newer architectures were born without.
    Amd64,
}

impl On {
    fn has(self, arch: Arch) -> bool {
        self == Self::All || arch == Arch::Amd64
    }
}

/// Calls that are let through, and why.
struct Group {
    on: On,
    #[expect(dead_code, reason = "it is read by people: each name is there for a reason")]
    why: &'static str,
    names: &'static str,
}

const fn group(on: On, why: &'static str, names: &'static str) -> Group {
    Group { on, why, names }
}

const CALLS: &[Group] = &[
    group(
        On::All,
        "files: reading, writing, and moving bytes between descriptors",
        "close close_range copy_file_range dup dup3 fadvise64 fallocate fcntl fdatasync flock fsync ftruncate \
         lseek openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv \
         sendfile splice sync sync_file_range syncfs tee truncate write writev",
    ),
    group(
        On::All,
        "files: names, folders and what is known of them; who may write is the mounts' and the owner's say",
        "cachestat chdir faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchownat fstat fstatfs \
         getcwd getdents64 linkat mkdirat newfstatat readlinkat renameat renameat2 statfs statx symlinkat \
         umask unlinkat utimensat",
    ),
    group(
        On::All,
        "files: extended attributes, for copying programs; the privileged ones need capabilities",
        "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat \
         llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat",
    ),
    group(
        On::Amd64,
        "files: the first ABI's forms of the above, which C libraries still use",
        "access chmod chown creat dup2 futimesat getdents lchown link lstat mkdir open pipe readlink rename rmdir \
         stat symlink unlink utime utimes",
    ),
    group(On::All, "terminals and devices: the devices of a container are all harmless", "ioctl"),
    group(
        On::All,
        "memory, with what allocators, garbage collectors and just-in-time compilers need",
        "brk madvise map_shadow_stack memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap mseal \
         msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect",
    ),
    group(
        On::All,
        "processes: starting and ending them, and waiting for them",
        "execve execveat exit exit_group getpgid getpid getppid getsid gettid kill pidfd_open \
         pidfd_send_signal prctl setpgid setsid tgkill tkill wait4 waitid",
    ),
    group(On::Amd64, "processes: the first ABI", "arch_prctl fork getpgrp pause vfork"),
    group(
        On::All,
        "threads: C libraries, Go, the JVM",
        "futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list getcpu membarrier \
         restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr \
         sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr \
         sched_setparam sched_setscheduler sched_yield set_robust_list set_tid_address",
    ),
    group(
        On::All,
        "signals",
        "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
         rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd4",
    ),
    group(
        On::All,
        "who one is; to become somebody else needs capabilities, to become oneself does not",
        "capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid \
         setgroups setregid setresgid setresuid setreuid setuid",
    ),
    group(
        On::All,
        "own limits and priorities; to raise them needs capabilities",
        "getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 setpriority setrlimit sysinfo times \
         uname",
    ),
    group(
        On::All,
        "time: reading it and waiting for it, not setting it",
        "clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer timer_create \
         timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime \
         timerfd_settime",
    ),
    group(On::Amd64, "time: the first ABI", "alarm time"),
    group(
        On::All,
        "waiting for descriptors",
        "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2 inotify_add_watch inotify_init1 \
         inotify_rm_watch pipe2 ppoll pselect6",
    ),
    group(
        On::Amd64,
        "waiting for descriptors: the first ABI",
        "epoll_create epoll_wait eventfd inotify_init poll select signalfd",
    ),
    group(
        On::All,
        "sockets, once made: which can be made is below",
        "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg \
         sendmmsg sendmsg sendto setsockopt shutdown",
    ),
    group(
        On::All,
        "queues, semaphores and shared memory of the own ipc namespace, for databases; counted as memory",
        "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd \
         semctl semget semop semtimedop shmat shmctl shmdt shmget",
    ),
    group(
        On::All,
        "the kernel's first asynchronous reads and writes, for databases; bounded by fs.aio-max-nr",
        "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit",
    ),
    group(On::All, "randomness", "getrandom"),
    group(
        On::All,
        "programs that lock themselves down further",
        "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
    ),
];

/// A call that is let through if all of its tests pass; several entries of one name are alternatives.
struct Conditional {
    on: On,
    name: &'static str,
    when: &'static [Test],
}

/// A test of one argument.
#[derive(Debug)]
enum Test {
    /// All 64 bits are this.
    Equal { arg: u32, value: u64 },
    /// Under this mask, they are this.
    Masked { arg: u32, mask: u64, value: u64 },
}

impl Test {
    fn to_json(&self) -> Value {
        match self {
            Self::Equal { arg, value } => json!({ "index": arg, "value": value, "op": "SCMP_CMP_EQ" }),
            // The engine's `value` is the mask here, and `valueTwo` what must be left.
            Self::Masked { arg, mask, value } => {
                json!({ "index": arg, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" })
            }
        }
    }
}

const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;
const NETLINK_ROUTE: u64 = 0;

/// New namespaces: mount, cgroup, uts, ipc, user, pid, net. A time namespace cannot be asked of `clone`.
const CLONE_NEW: u64 = 0x7e02_0000;

/// The bits of a mode that say what kind of file it is.
const S_IFMT: u64 = 0o170_000;
const S_IFREG: u64 = 0o100_000;
const S_IFIFO: u64 = 0o010_000;
const S_IFSOCK: u64 = 0o140_000;

const fn when(on: On, name: &'static str, when: &'static [Test]) -> Conditional {
    Conditional { on, name, when }
}

macro_rules! kind {
    ($arg:literal, $value:expr) => {
        &[Test::Masked { arg: $arg, mask: S_IFMT, value: $value }]
    };
}

const CONDITIONAL: &[Conditional] = &[
    // Local and internet sockets; of netlink the one that lists interfaces, which C libraries ask.
    when(On::All, "socket", &[Test::Equal { arg: 0, value: AF_UNIX }]),
    when(On::All, "socket", &[Test::Equal { arg: 0, value: AF_INET }]),
    when(On::All, "socket", &[Test::Equal { arg: 0, value: AF_INET6 }]),
    when(
        On::All,
        "socket",
        &[Test::Equal { arg: 0, value: AF_NETLINK }, Test::Equal { arg: 2, value: NETLINK_ROUTE }],
    ),
    when(On::All, "socketpair", &[Test::Equal { arg: 0, value: AF_UNIX }]),
    // Threads and processes, without any new namespace. The flags are the first argument on both.
    when(On::All, "clone", &[Test::Masked { arg: 0, mask: CLONE_NEW, value: 0 }]),
    // The usual one, and asking which it is.
    when(On::All, "personality", &[Test::Equal { arg: 0, value: 0 }]),
    when(On::All, "personality", &[Test::Equal { arg: 0, value: 0xffff_ffff }]),
    // Pipes, sockets and plain files, never devices. Kind 0 is a plain file too.
    when(On::Amd64, "mknod", kind!(1, 0)),
    when(On::Amd64, "mknod", kind!(1, S_IFREG)),
    when(On::Amd64, "mknod", kind!(1, S_IFIFO)),
    when(On::Amd64, "mknod", kind!(1, S_IFSOCK)),
    when(On::All, "mknodat", kind!(2, 0)),
    when(On::All, "mknodat", kind!(2, S_IFREG)),
    when(On::All, "mknodat", kind!(2, S_IFIFO)),
    when(On::All, "mknodat", kind!(2, S_IFSOCK)),
];

/// Refused as if the kernel did not have them: the caller then takes the older way, where it would take
/// "not permitted" for the answer. C libraries start threads by `clone3`, whose flags lie in memory that a
/// filter cannot see; libuv asks for rings; libnuma asks for policies.
const ABSENT: &[&str] = &[
    "clone3",
    "get_mempolicy",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "mbind",
    "set_mempolicy",
    "set_mempolicy_home_node",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What must never be let through, with any arguments.
    const NEVER: &str = "socketcall ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp \
        name_to_handle_at open_by_handle_at vmsplice clock_adjtime adjtimex io_uring_setup io_uring_enter \
        io_uring_register bpf keyctl add_key request_key userfaultfd perf_event_open clone3 unshare setns \
        mount umount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick \
        mount_setattr statmount listmount init_module finit_module delete_module kexec_load kexec_file_load \
        reboot swapon swapoff sethostname setdomainname settimeofday clock_settime stime acct syslog iopl \
        ioperm quotactl quotactl_fd fanotify_init fanotify_mark lookup_dcookie nfsservctl vhangup modify_ldt \
        uselib ustat sysfs _sysctl memfd_secret migrate_pages move_pages remap_file_pages vm86 vm86old \
        set_thread_area process_mrelease get_kernel_syms query_module create_module set_mempolicy mbind";

    fn allowed(arch: Arch) -> BTreeSet<String> {
        let profile = profile(arch);
        let rules = profile["syscalls"].as_array().unwrap();
        rules
            .iter()
            .filter(|r| r["action"] == "SCMP_ACT_ALLOW")
            .flat_map(|r| r["names"].as_array().unwrap())
            .map(|n| n.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn what_lets_programs_out_is_not_in_it() {
        for arch in Arch::ALL {
            let allowed = allowed(*arch);
            for name in NEVER.split_whitespace() {
                assert!(!allowed.contains(name), "{name} is let through on {}", arch.name());
            }
        }
    }

    #[test]
    fn it_refuses_by_default_and_knows_one_architecture() {
        for arch in Arch::ALL {
            let profile = profile(*arch);
            assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
            assert_eq!(profile["architectures"], json!([arch.libseccomp()]));
            assert!(profile.get("archMap").is_none());
        }
    }

    #[test]
    fn only_equality_is_tested() {
        for arch in Arch::ALL {
            let profile = profile(*arch);
            for rule in profile["syscalls"].as_array().unwrap() {
                for test in rule["args"].as_array().into_iter().flatten() {
                    let op = test["op"].as_str().unwrap();
                    assert!(op == "SCMP_CMP_EQ" || op == "SCMP_CMP_MASKED_EQ", "{op}");
                }
            }
        }
    }

    /// The engine's runtime takes two tests of one argument in a rule for alternatives, not for both.
    #[test]
    fn no_rule_tests_an_argument_twice() {
        for rule in CONDITIONAL {
            let args: Vec<u32> = rule
                .when
                .iter()
                .map(|t| match t {
                    Test::Equal { arg, .. } | Test::Masked { arg, .. } => *arg,
                })
                .collect();
            assert_eq!(args.iter().collect::<BTreeSet<_>>().len(), args.len(), "{}", rule.name);
        }
    }

    #[test]
    fn every_call_is_in_one_place() {
        let mut seen = BTreeSet::new();
        let conditional: BTreeSet<_> = CONDITIONAL.iter().map(|c| c.name).collect();
        let all = CALLS.iter().flat_map(|g| g.names.split_whitespace());
        for name in all.chain(conditional).chain(ABSENT.iter().copied()) {
            assert!(seen.insert(name), "{name} is named twice");
        }
    }

    #[test]
    fn the_first_abi_is_on_amd64_alone() {
        assert!(allowed(Arch::Amd64).contains("fork") && !allowed(Arch::Arm64).contains("fork"));
        assert!(allowed(Arch::Arm64).contains("openat"));
        assert_ne!(fingerprint(Arch::Amd64), fingerprint(Arch::Arm64));
    }
}

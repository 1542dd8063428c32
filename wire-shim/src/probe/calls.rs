//! The system calls that are tried. What should come of each is the asker's table, not this one.
//!
//! Where it can be had, the arguments are such that an unfiltered kernel gives another answer than "not
//! permitted" to a user without capabilities: a bad pointer or descriptor that is looked at first. So the
//! row shows the filter, not the missing capability.

use nix::libc;
use wire_shim::evidence::Way;

/// A call to try.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) way: Way,
    pub(super) number: i64,
    pub(super) args: [u64; 6],
}

/// Points at nothing.
const BAD: u64 = 1;
/// No descriptor.
const NONE: u64 = u64::MAX;
/// A bit that the filter sees, and the kernel does not, in an argument of 32 bits.
const HIGH: u64 = 1 << 32;

const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;
const AF_PACKET: u64 = 17;
const AF_ALG: u64 = 38;
const AF_VSOCK: u64 = 40;
const STREAM: u64 = 1;
const DATAGRAM: u64 = 2;
const RAW: u64 = 3;
const SEQPACKET: u64 = 5;
const SOCK_DIAG: u64 = 4;
const UEVENT: u64 = 15;

const NEW_NS: u64 = 0x0002_0000;
const NEW_USER: u64 = 0x1000_0000;
const SIGCHLD: u64 = 17;

const CHAR_DEVICE: u64 = 0o020_000;
const FIFO: u64 = 0o010_000;

/// All rows for this architecture.
pub(super) fn rows() -> Vec<Row> {
    let me = u64::from(std::process::id());
    let mut rows = Vec::new();
    let mut native =
        |name, number: libc::c_long, args: &[u64]| rows.push(row(name, Way::Native, number, args));

    // Sockets.
    native("socket(AF_UNIX)", libc::SYS_socket, &[AF_UNIX, STREAM]);
    native("socket(AF_INET)", libc::SYS_socket, &[AF_INET, DATAGRAM]);
    native("socket(AF_INET6)", libc::SYS_socket, &[AF_INET6, DATAGRAM]);
    native("socket(AF_NETLINK, ROUTE)", libc::SYS_socket, &[AF_NETLINK, RAW, 0]);
    native("socket(AF_NETLINK, SOCK_DIAG)", libc::SYS_socket, &[AF_NETLINK, RAW, SOCK_DIAG]);
    native("socket(AF_NETLINK, UEVENT)", libc::SYS_socket, &[AF_NETLINK, RAW, UEVENT]);
    native("socket(AF_NETLINK, high|UEVENT)", libc::SYS_socket, &[AF_NETLINK, RAW, HIGH | UEVENT]);
    native("socket(AF_PACKET)", libc::SYS_socket, &[AF_PACKET, RAW]);
    native("socket(AF_ALG)", libc::SYS_socket, &[AF_ALG, SEQPACKET]);
    native("socket(AF_VSOCK)", libc::SYS_socket, &[AF_VSOCK, STREAM]);
    native("socket(high|AF_VSOCK)", libc::SYS_socket, &[HIGH | AF_VSOCK, STREAM]);
    native("socket(high|AF_NETLINK)", libc::SYS_socket, &[HIGH | AF_NETLINK, RAW, UEVENT]);
    native("socketpair(AF_UNIX)", libc::SYS_socketpair, &[AF_UNIX, STREAM, 0, BAD]);
    native("socketpair(high|AF_UNIX)", libc::SYS_socketpair, &[HIGH | AF_UNIX, STREAM, 0, BAD]);

    // Processes and namespaces.
    native("clone", libc::SYS_clone, &[SIGCHLD]);
    native("clone(NEWUSER)", libc::SYS_clone, &[NEW_USER | SIGCHLD]);
    native("clone(high|NEWUSER)", libc::SYS_clone, &[HIGH | NEW_USER | SIGCHLD]);
    native("clone(NEWUSER|NEWNS)", libc::SYS_clone, &[NEW_USER | NEW_NS | SIGCHLD]);
    native("clone3", libc::SYS_clone3, &[BAD, 64]);
    native("unshare(0)", libc::SYS_unshare, &[0]);
    native("unshare(NEWUSER)", libc::SYS_unshare, &[NEW_USER]);
    native("setns", libc::SYS_setns, &[NONE, 0]);
    native("personality(0xffffffff)", libc::SYS_personality, &[0xffff_ffff]);
    native("personality(ADDR_NO_RANDOMIZE)", libc::SYS_personality, &[0x0004_0000]);
    native("personality(high|0xffffffff)", libc::SYS_personality, &[HIGH | 0xffff_ffff]);
    native("pidfd_open", libc::SYS_pidfd_open, &[me, 0]);
    native("rseq", libc::SYS_rseq, &[BAD, 0, 0, 0]);
    native("membarrier", libc::SYS_membarrier, &[0]);
    native("futex", libc::SYS_futex, &[BAD, 1, 0]);
    native("landlock_create_ruleset", libc::SYS_landlock_create_ruleset, &[0, 0, 1]);

    // Other processes.
    native("ptrace", libc::SYS_ptrace, &[0]);
    native("process_vm_readv", libc::SYS_process_vm_readv, &[me, BAD, 0, BAD, 0, 0]);
    native("process_vm_writev", libc::SYS_process_vm_writev, &[me, BAD, 0, BAD, 0, 0]);
    native("process_madvise", libc::SYS_process_madvise, &[NONE, BAD, 1, 0, 0]);
    native("pidfd_getfd", libc::SYS_pidfd_getfd, &[NONE, 0, 0]);
    native("kcmp", libc::SYS_kcmp, &[me, me, 0, 0, 0]);
    native("move_pages", libc::SYS_move_pages, &[0, 0, 0, 0, 0, 0]);
    native("migrate_pages", libc::SYS_migrate_pages, &[0, 0, 0, 0]);

    // The kernel's larger machines.
    native("io_uring_setup", libc::SYS_io_uring_setup, &[1, BAD]);
    native("io_uring_enter", libc::SYS_io_uring_enter, &[NONE, 0, 0, 0]);
    native("io_uring_register", libc::SYS_io_uring_register, &[NONE, 0, 0, 0]);
    native("bpf", libc::SYS_bpf, &[0, BAD, 8]);
    native("keyctl", libc::SYS_keyctl, &[0, (-3_i64).cast_unsigned(), 0]);
    native("add_key", libc::SYS_add_key, &[BAD, BAD, 0, 0, 0]);
    native("request_key", libc::SYS_request_key, &[BAD, BAD, 0, 0]);
    native("userfaultfd", libc::SYS_userfaultfd, &[1]);
    native("perf_event_open", libc::SYS_perf_event_open, &[BAD, 0, 0, NONE, 0]);
    native("fanotify_init", libc::SYS_fanotify_init, &[0x200, 0]);
    native("memfd_secret", libc::SYS_memfd_secret, &[0]);
    native("set_mempolicy", libc::SYS_set_mempolicy, &[0, 0, 0]);
    native("mbind", libc::SYS_mbind, &[0, 0, 0, 0, 0, 0]);
    native("remap_file_pages", libc::SYS_remap_file_pages, &[0, 0, 0, 0, 0]);
    native("memfd_create", libc::SYS_memfd_create, &[BAD, 0]);

    // Files and mounts.
    native("statx", libc::SYS_statx, &[NONE, BAD, 0, 0, BAD]);
    native("openat2", libc::SYS_openat2, &[NONE, BAD, BAD, 24]);
    native("faccessat2", libc::SYS_faccessat2, &[NONE, BAD, 0, 0]);
    native("copy_file_range", libc::SYS_copy_file_range, &[NONE, 0, NONE, 0, 0, 0]);
    native("mknodat(FIFO)", libc::SYS_mknodat, &[NONE, BAD, FIFO, 0]);
    native("mknodat(device)", libc::SYS_mknodat, &[NONE, BAD, CHAR_DEVICE, 0]);
    native("mknodat(high|device)", libc::SYS_mknodat, &[NONE, BAD, HIGH | CHAR_DEVICE, 0]);
    native("name_to_handle_at", libc::SYS_name_to_handle_at, &[NONE, BAD, BAD, BAD, 0]);
    native("open_by_handle_at", libc::SYS_open_by_handle_at, &[NONE, BAD, 0]);
    native("vmsplice", libc::SYS_vmsplice, &[NONE, 0, 0, 0]);
    native("mount", libc::SYS_mount, &[BAD, BAD, BAD, 0, BAD]);
    native("umount2", libc::SYS_umount2, &[BAD, 0xffff]);
    native("pivot_root", libc::SYS_pivot_root, &[BAD, BAD]);
    native("chroot", libc::SYS_chroot, &[BAD]);
    native("open_tree", libc::SYS_open_tree, &[NONE, BAD, 0]);
    native("move_mount", libc::SYS_move_mount, &[NONE, BAD, NONE, BAD, 0]);
    native("fsopen", libc::SYS_fsopen, &[BAD, 0]);
    native("mount_setattr", libc::SYS_mount_setattr, &[NONE, BAD, 0, BAD, 0]);
    native("quotactl", libc::SYS_quotactl, &[0, BAD, 0, BAD]);

    // The machine.
    native("clock_adjtime", libc::SYS_clock_adjtime, &[0, BAD]);
    native("adjtimex", libc::SYS_adjtimex, &[BAD]);
    native("clock_settime", libc::SYS_clock_settime, &[0, BAD]);
    native("settimeofday", libc::SYS_settimeofday, &[BAD, 0]);
    native("syslog", libc::SYS_syslog, &[10, 0, 0]);
    native("sethostname", libc::SYS_sethostname, &[BAD, NONE]);
    native("init_module", libc::SYS_init_module, &[BAD, 0, BAD]);
    native("finit_module", libc::SYS_finit_module, &[NONE, BAD, 0]);
    native("kexec_load", libc::SYS_kexec_load, &[0, NONE, BAD, NONE]);
    native("reboot", libc::SYS_reboot, &[0, 0, 0, 0]);
    native("swapon", libc::SYS_swapon, &[BAD, 0]);
    native("acct", libc::SYS_acct, &[BAD]);

    #[cfg(target_arch = "x86_64")]
    foreign(&mut rows);
    rows
}

/// What only this architecture has, and its two other ways into the kernel. Few rows of those: the kernel
/// logs each process that a filter ends.
#[cfg(target_arch = "x86_64")]
fn foreign(rows: &mut Vec<Row>) {
    const X32: i64 = 0x4000_0000;
    const I386_GETPID: i64 = 20;
    const I386_SOCKETCALL: i64 = 102;

    rows.push(row("iopl", Way::Native, libc::SYS_iopl, &[0]));
    rows.push(row("ioperm", Way::Native, libc::SYS_ioperm, &[0, 0, 0]));
    rows.push(row("modify_ldt", Way::Native, libc::SYS_modify_ldt, &[0, BAD, 0]));
    rows.push(row("getpid", Way::X32, libc::SYS_getpid | X32, &[]));
    rows.push(row("getpid", Way::I386, I386_GETPID, &[]));
    rows.push(row("socketcall", Way::I386, I386_SOCKETCALL, &[1, BAD]));
}

fn row(name: &'static str, way: Way, number: i64, given: &[u64]) -> Row {
    let mut args = [0; 6];
    args.iter_mut().zip(given).for_each(|(arg, value)| *arg = *value);
    Row { name, way, number, args }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let rows = rows();
        let names: BTreeSet<_> = rows.iter().map(|r| (r.name, r.way)).collect();
        assert_eq!(names.len(), rows.len());
    }
}

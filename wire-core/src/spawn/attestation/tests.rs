use std::collections::{BTreeMap, BTreeSet};

use wire_shim::evidence::{
    Answer, Call, Cgroup, Evidence, IdRange, Init, Limit, Mount, Place, Status, VERSION, Way,
};

use super::*;
use crate::spawn::seccomp::Arch;

const GI: u64 = 1 << 30;

/// A change of what is seen, and the one row that it shows in.
type Change = (Control, fn(&mut Evidence));

fn mount(at: &str, kind: &str, options: &str) -> Mount {
    let options = options.split(' ').map(str::to_owned).collect();
    Mount { at: at.into(), kind: kind.into(), options, fs_options: vec!["rw".into()] }
}

fn place(uid: u32, mode: u32, bytes: u64) -> Place {
    Place { uid, gid: uid, mode, bytes }
}

/// A container as it should be.
fn good() -> Evidence {
    let sealed = "ro nosuid nodev noexec";
    let named = |names: &[&str], answer| names.iter().map(|n| ((*n).to_owned(), answer)).collect();
    Evidence {
        version: VERSION,
        nonce: vec![7; 16],
        machine: "x86_64".into(),
        kernel: "6.1".into(),
        status: Status {
            uid: vec![65532; 4],
            gid: vec![65532; 4],
            groups: vec![65532],
            caps: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|n| (n.to_owned(), 0)).into(),
            no_new_privs: Some(1),
            seccomp: Some(2),
            seccomp_filters: Some(1),
        },
        init: Init { name: Some("shim".into()), path: Some("/.wire/shim".into()), processes: 2 },
        namespaces: ["cgroup", "ipc", "mnt", "net", "pid", "uts"].map(|k| (k.to_owned(), 0xf000_0100)).into(),
        uid_map: vec![IdRange { inside: 0, outside: 0, count: u32::MAX }],
        mounts: vec![
            mount("/", "overlay", "ro"),
            mount("/proc", "proc", "rw nosuid nodev noexec"),
            mount("/dev", "tmpfs", "rw nosuid"),
            mount("/dev/pts", "devpts", "rw nosuid noexec"),
            mount("/dev/mqueue", "mqueue", "rw nosuid nodev noexec"),
            mount("/sys", "sysfs", sealed),
            mount("/sys/fs/cgroup", "cgroup2", sealed),
            mount("/proc/sys", "proc", sealed),
            mount("/proc/keys", "tmpfs", "rw nosuid"),
            mount("/sys/firmware", "tmpfs", "ro"),
            mount("/etc/hosts", "ext4", "ro"),
            mount("/.wire", "ext4", "ro"),
            mount("/tmp", "tmpfs", "rw nosuid nodev noexec"),
            mount("/run/wire", "tmpfs", "rw nosuid nodev noexec"),
        ],
        writes: named(&["/", "/etc", "/srv"], Answer::Errno(30)),
        kernel_writes: named(&["/proc/sys/kernel/hostname"], Answer::Errno(30)),
        places: BTreeMap::from([
            ("/tmp".into(), place(65532, 0o1777, 64 << 20)),
            ("/run/wire".into(), place(65532, 0o700, 1 << 20)),
            ("/dev".into(), place(0, 0o755, 64 << 20)),
            ("/proc/keys".into(), place(0, 0o666, 0)),
            ("/sys/firmware".into(), place(0, 0o755, 0)),
        ]),
        tmp_exec: Answer::Errno(13),
        interfaces: vec!["lo".into()],
        connect: Answer::Errno(101),
        devices: BTreeMap::from([("null".into(), Some((1, 3))), ("fd".into(), None)]),
        limits: BTreeMap::from([("nofile".into(), (1024, 1024)), ("core".into(), (0, 0))]),
        cgroup: Cgroup {
            version: 2,
            memory: Limit::At(512 << 20),
            memory_and_swap: Limit::At(512 << 20),
            pids: Limit::At(256),
            cpu_quota: Limit::At(100_000),
            cpu_period: Limit::At(100_000),
        },
        env: vec!["PATH".into()],
        calls: answers::ideal(Arch::Amd64),
        chown: Answer::Errno(1),
    }
}

/// Each way in which a container can be less than it should, with the one row that must say so.
fn faults() -> Vec<Change> {
    fn set(e: &mut Evidence, at: &str, options: &str) {
        let options = options.split(' ').map(str::to_owned).collect();
        e.mounts.iter_mut().find(|m| m.at == at).unwrap().options = options;
    }
    fn answer(e: &mut Evidence, name: &str, way: Way, answer: Answer) {
        e.calls.iter_mut().find(|c| c.name == name && c.way == way).unwrap().answer = answer;
    }
    vec![
        (Control::User, |e| e.status.uid[1] = 0),
        (Control::User, |e| e.status.gid = vec![0; 4]),
        (Control::User, |e| e.status.groups = vec![65532, 999]),
        (Control::User, |e| e.chown = Answer::Done),
        (Control::Caps, |e| {
            e.status.caps.insert("CapBnd".into(), 1 << 21);
        }),
        (Control::NoNewPrivs, |e| e.status.no_new_privs = Some(0)),
        (Control::Seccomp, |e| e.status.seccomp = Some(0)),
        (Control::Syscalls, |e| answer(e, "ptrace", Way::Native, Answer::Done)),
        (Control::Syscalls, |e| answer(e, "socket(high|AF_VSOCK)", Way::Native, Answer::Errno(97))),
        (Control::Syscalls, |e| answer(e, "socketcall", Way::I386, Answer::Errno(14))),
        (Control::Syscalls, |e| answer(e, "getpid", Way::X32, Answer::Done)),
        (Control::Syscalls, |e| answer(e, "clone3", Way::Native, Answer::Errno(1))),
        (Control::Syscalls, |e| answer(e, "statx", Way::Native, Answer::Errno(1))),
        (Control::Rootfs, |e| {
            e.writes.insert("/etc".into(), Answer::Done);
        }),
        (Control::Rootfs, |e| {
            e.writes.insert("/".into(), Answer::Errno(13));
        }),
        (Control::Rootfs, |e| set(e, "/", "rw")),
        (Control::Proc, |e| {
            e.kernel_writes.insert("/proc/sysrq-trigger".into(), Answer::Errno(1));
        }),
        (Control::Proc, |e| {
            e.places.insert("/proc/kcore".into(), place(0, 0o400, 0));
        }),
        (Control::Tmp, |e| set(e, "/tmp", "rw nosuid nodev")),
        (Control::Tmp, |e| e.tmp_exec = Answer::Errno(8)),
        (Control::Tmp, |e| {
            e.places.insert("/tmp".into(), place(0, 0o755, 64 << 20));
        }),
        (Control::Tmp, |e| {
            e.places.insert("/tmp".into(), place(65532, 0o1777, 65 << 20));
        }),
        (Control::Tmp, |e| {
            e.places.remove("/tmp");
        }),
        (Control::RunWire, |e| {
            e.places.insert("/run/wire".into(), place(65532, 0o755, 1 << 20));
        }),
        (Control::Memory, |e| e.cgroup.memory = Limit::Max),
        (Control::Memory, |e| e.cgroup.memory = Limit::At(GI)),
        (Control::Swap, |e| e.cgroup.memory_and_swap = Limit::At(GI)),
        (Control::Pids, |e| e.cgroup.pids = Limit::Max),
        (Control::Cpu, |e| e.cgroup.cpu_quota = Limit::At(200_000)),
        (Control::Network, |e| e.interfaces.push("eth0".into())),
        (Control::Network, |e| e.connect = Answer::Done),
        (Control::Ipc, |e| {
            e.places.insert("/dev/shm".into(), place(0, 0o1777, 64 << 20));
        }),
        (Control::Namespaces, |e| {
            e.namespaces.insert("pid".into(), 0xefff_fffc);
        }),
        (Control::Namespaces, |e| {
            e.namespaces.remove("cgroup");
        }),
        (Control::Namespaces, |e| e.init.processes = 257),
        (Control::Init, |e| e.init.path = Some("/bin/sh".into())),
        (Control::Nofile, |e| {
            e.limits.insert("nofile".into(), (1024, 20000));
        }),
        (Control::Core, |e| {
            e.limits.insert("core".into(), (0, u64::MAX));
        }),
        (Control::Env, |e| e.env.push("LD_PRELOAD".into())),
        (Control::Mounts, |e| e.mounts.push(mount("/var/run/docker.sock", "tmpfs", "rw"))),
        (Control::Mounts, |e| set(e, "/.wire", "rw")),
        (Control::Mounts, |e| set(e, "/etc/hosts", "rw")),
        (Control::Mounts, |e| set(e, "/sys/fs/cgroup", "rw nosuid nodev noexec")),
        (Control::Devices, |e| {
            e.devices.insert("sda".into(), Some((8, 0)));
        }),
        (Control::Devices, |e| {
            e.devices.insert("null".into(), Some((1, 1)));
        }),
    ]
}

fn verdicts(attestation: &Attestation, verdict: Verdict) -> BTreeSet<Control> {
    attestation.rows().iter().filter(|r| r.verdict == verdict).map(|r| r.control).collect()
}

#[test]
fn a_good_container_holds() {
    let attestation = Attestation::judge(&good(), &Expected::default());
    assert!(attestation.holds(), "{attestation}");
    assert_eq!(verdicts(&attestation, Verdict::Holds).len(), Control::ALL.len());
}

#[test]
fn each_fault_breaks_its_own_row_and_no_other() {
    for (i, (control, fault)) in faults().into_iter().enumerate() {
        let mut evidence = good();
        fault(&mut evidence);
        let attestation = Attestation::judge(&evidence, &Expected::default());
        assert_eq!(verdicts(&attestation, Verdict::Broken), BTreeSet::from([control]), "{i}\n{attestation}");
        assert!(!attestation.holds());
    }
}

#[test]
fn every_control_has_a_fault_that_breaks_it() {
    let broken: BTreeSet<_> = faults().into_iter().map(|(control, _)| control).collect();
    let all: BTreeSet<_> = Control::ALL.iter().copied().collect();
    // Mapped users are asked for by few; its own test is below.
    assert_eq!(&all - &broken, BTreeSet::from([Control::Userns]));
}

#[test]
fn what_was_loosened_may_be_so_and_nothing_else() {
    let loosened: &[Change] = &[
        (Control::Rootfs, |e| {
            e.writes.insert("/".into(), Answer::Done);
        }),
        (Control::Network, |e| e.interfaces.push("eth0".into())),
        (Control::Init, |e| e.init.path = Some("/sbin/docker-init".into())),
        (Control::Swap, |e| e.cgroup.memory_and_swap = Limit::Unseen),
        (Control::Tmp, |e| e.tmp_exec = Answer::Errno(8)),
        (Control::Ipc, |e| {
            e.places.insert("/dev/shm".into(), place(0, 0o1777, 32 << 20));
            e.mounts.push(mount("/dev/shm", "tmpfs", "rw nosuid nodev noexec"));
        }),
    ];
    for (control, change) in loosened {
        let mut evidence = good();
        change(&mut evidence);
        let expected = Expected { relaxed: [*control].into(), shm: 32 << 20, ..Expected::default() };
        let attestation = Attestation::judge(&evidence, &expected);
        assert!(attestation.holds(), "{attestation}");
        assert_eq!(attestation.relaxed(), BTreeSet::from([*control]));
        let strict = Attestation::judge(&evidence, &Expected::default());
        assert!(strict.broken().map(|r| r.control).eq([*control]), "{strict}");
    }
}

#[test]
fn a_relaxation_excuses_no_more_than_it_says() {
    let relaxed: BTreeSet<_> = Control::ALL.iter().copied().collect();
    let expected = Expected { relaxed, shm: 1 << 20, ..Expected::default() };
    let faults: &[Change] = &[
        (Control::Tmp, |e| {
            e.places.insert("/tmp".into(), place(65532, 0o1777, GI));
        }),
        (Control::Ipc, |e| {
            e.places.insert("/dev/shm".into(), place(0, 0o1777, 64 << 20));
        }),
        (Control::Mounts, |e| e.mounts.push(mount("/host", "ext4", "rw"))),
        (Control::User, |e| e.status.uid = vec![0; 4]),
        (Control::Caps, |e| {
            e.status.caps.insert("CapEff".into(), 1);
        }),
        (Control::Devices, |e| {
            e.devices.insert("kvm".into(), Some((10, 232)));
        }),
    ];
    for (control, fault) in faults {
        let mut evidence = good();
        fault(&mut evidence);
        let attestation = Attestation::judge(&evidence, &expected);
        assert!(attestation.broken().map(|r| r.control).eq([*control]), "{attestation}");
    }
}

#[test]
fn mounts_of_the_spec_are_as_it_says() {
    let asked = |what| Expected {
        mounts: BTreeMap::from([("/srv".to_owned(), what)]),
        relaxed: [Control::Mounts].into(),
        ..Expected::default()
    };
    let read_only = asked(ExpectedMount::Outside { writable: false });
    let verdict = |options: &str, expected: &Expected| {
        let mut evidence = good();
        evidence.mounts.push(mount("/srv", "tmpfs", options));
        evidence.places.insert("/srv".into(), place(65532, 0o700, 1 << 20));
        // The attestor's own file in it is no write to the image.
        evidence.writes.insert("/srv".into(), Answer::Done);
        let attestation = Attestation::judge(&evidence, expected);
        assert_eq!(attestation.row(Control::Rootfs).unwrap().verdict, Verdict::Holds);
        attestation.row(Control::Mounts).unwrap().verdict
    };
    assert_eq!(verdict("ro", &read_only), Verdict::Relaxed);
    assert_eq!(verdict("rw", &read_only), Verdict::Broken);
    assert_eq!(verdict("rw", &asked(ExpectedMount::Outside { writable: true })), Verdict::Relaxed);
    let memory = |size| asked(ExpectedMount::Tmpfs { size, exec: false });
    assert_eq!(verdict("rw nosuid nodev noexec", &memory(1 << 20)), Verdict::Holds);
    assert_eq!(verdict("rw nosuid nodev", &memory(1 << 20)), Verdict::Broken);
    assert_eq!(verdict("rw nosuid nodev noexec", &memory(512 << 10)), Verdict::Broken, "it is larger");
    assert_eq!(verdict("rw nosuid nodev noexec", &memory(2 << 20)), Verdict::Broken, "it is smaller");
    let of_another = Expected { user: (7, 7), ..memory(1 << 20) };
    assert_eq!(verdict("rw nosuid nodev noexec", &of_another), Verdict::Broken, "it is somebody else's");
    let missing = Attestation::judge(&good(), &read_only);
    assert_eq!(missing.row(Control::Mounts).unwrap().verdict, Verdict::Broken);
}

#[test]
fn what_cannot_be_seen_does_not_hold() {
    let changes: &[Change] = &[
        (Control::NoNewPrivs, |e| e.status.no_new_privs = None),
        (Control::Swap, |e| e.cgroup.memory_and_swap = Limit::Unseen),
        (Control::Syscalls, |e| {
            e.calls.pop();
        }),
        (Control::Syscalls, |e| e.calls[3].answer = Answer::Untried),
        (Control::Syscalls, |e| e.machine = "riscv64".into()),
        (Control::Caps, |e| {
            e.status.caps.remove("CapAmb");
        }),
        (Control::Init, |e| e.init.path = None),
        (Control::User, |e| e.chown = Answer::Untried),
        (Control::Tmp, |e| e.tmp_exec = Answer::Untried),
    ];
    for (control, change) in changes {
        let mut evidence = good();
        change(&mut evidence);
        let attestation = Attestation::judge(&evidence, &Expected::default());
        assert_eq!(verdicts(&attestation, Verdict::Unknown), BTreeSet::from([*control]), "{attestation}");
        assert!(!attestation.holds());
    }
}

#[test]
fn the_hosts_own_namespaces_and_users_are_known_where_they_are_told() {
    let host_namespaces = BTreeMap::from([("net".to_owned(), 0xf000_0100)]);
    let attestation = Attestation::judge(&good(), &Expected { host_namespaces, ..Expected::default() });
    assert!(attestation.broken().map(|r| r.control).eq([Control::Namespaces]), "{attestation}");
    let attestation = Attestation::judge(&good(), &Expected { userns: true, ..Expected::default() });
    assert!(attestation.broken().map(|r| r.control).eq([Control::Userns]), "{attestation}");
}

/// Before the first program there are few; later as many as the limit allows.
#[test]
fn more_processes_than_there_can_be_are_those_of_others() {
    let at_first = Expected { processes: Some(8), ..Expected::default() };
    let unlimited = Expected { relaxed: [Control::Pids].into(), ..Expected::default() };
    for (processes, expected, holds) in [
        (8, &at_first, true),
        (9, &at_first, false),
        (256, &Expected::default(), true),
        (257, &Expected::default(), false),
        (257, &unlimited, true),
    ] {
        let mut evidence = good();
        evidence.init.processes = processes;
        let attestation = Attestation::judge(&evidence, expected);
        assert_eq!(attestation.holds(), holds, "{processes}\n{attestation}");
    }
}

/// The names of hosts and of the container are the image's files to it, whoever writes them outside.
#[test]
fn a_writable_root_may_have_writable_names() {
    let mut evidence = good();
    for at in ["/", "/etc/hosts"] {
        evidence.mounts.iter_mut().find(|m| m.at == at).unwrap().options = vec!["rw".into()];
    }
    let loosened = Expected { relaxed: [Control::Rootfs].into(), ..Expected::default() };
    assert!(Attestation::judge(&evidence, &loosened).holds());
}

#[test]
fn an_old_answer_is_no_answer() {
    let bytes = good().encode();
    let expected = Expected::default();
    assert!(Attestation::read(&bytes, &[7; 16], &expected).unwrap().holds());
    assert!(matches!(Attestation::read(&bytes, &[8; 16], &expected), Err(AttestationError::Nonce)));
    assert!(matches!(Attestation::read(&bytes, &[], &expected), Err(AttestationError::Nonce)));
    let garbled = Attestation::read(&bytes[1..], &[7; 16], &expected);
    assert!(matches!(garbled, Err(AttestationError::Evidence(_))));
}

#[test]
fn what_a_container_says_moves_no_cursor() {
    let mut evidence = good();
    evidence.init.path = Some(format!("/bin/\x1b[2J{}", "x".repeat(10_000)));
    evidence.calls.push(Call { name: "\x07".into(), way: Way::Native, answer: Answer::Done });
    let shown = Attestation::judge(&evidence, &Expected::default()).to_string();
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(shown.len() < 10_000);
}

#[test]
fn programs_get_every_row() {
    let json = Attestation::judge(&good(), &Expected::default()).to_json();
    assert_eq!(json["holds"], true);
    assert_eq!(json["rows"].as_array().unwrap().len(), Control::ALL.len());
    assert_eq!(json["rows"][0]["control"], "user");
    assert_eq!(json["rows"][0]["verdict"], "holds");
}

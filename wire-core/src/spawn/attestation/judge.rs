//! What each control should look like from inside, and whether it does.

use wire_shim::evidence::{Answer, Evidence, Limit, Mount, Place};

use super::{Expected, ExpectedMount, answers};
use crate::spawn::control::Control;
use crate::spawn::seccomp::Arch;

/// A control, looked at.
pub(super) struct Found {
    pub(super) expected: String,
    pub(super) seen: String,
    /// It is as by default, with the spec's numbers. `None`: it cannot be seen.
    pub(super) strict: Option<bool>,
    /// It is as a relaxation of it allows.
    pub(super) loose: Option<bool>,
}

impl Found {
    fn new(expected: impl Into<String>, seen: impl Into<String>, strict: Option<bool>) -> Self {
        Self { expected: expected.into(), seen: seen.into(), strict, loose: None }
    }

    /// What a relaxation allows.
    fn or(self, loose: bool) -> Self {
        Self { loose: Some(loose), ..self }
    }

    /// The first thing that is wrong, or `good`.
    fn wrongs(expected: impl Into<String>, good: impl Into<String>, wrongs: Vec<String>) -> Self {
        let fine = wrongs.is_empty();
        Self::new(expected, if fine { good.into() } else { wrongs.join(", ") }, Some(fine))
    }
}

const EPERM: Answer = Answer::Errno(1);
const EACCES: Answer = Answer::Errno(13);
const EROFS: Answer = Answer::Errno(30);
const ENETUNREACH: Answer = Answer::Errno(101);

pub(super) fn look(control: Control, e: &Evidence, x: &Expected) -> Found {
    match control {
        Control::User => user(e, x),
        Control::Caps => caps(e),
        Control::NoNewPrivs => {
            let seen = e.status.no_new_privs;
            Found::new("1", number(seen), seen.map(|n| n == 1)).or(true)
        }
        Control::Seccomp => {
            let seen = e.status.seccomp;
            Found::new("2 (filter)", number(seen), seen.map(|n| n == 2)).or(true)
        }
        Control::Syscalls => syscalls(e),
        Control::Rootfs => rootfs(e, x),
        Control::Proc => proc(e),
        Control::Tmp => tmpfs(e, x, "/tmp", x.tmp, false),
        Control::RunWire => match x.run_wire {
            Some(size) => tmpfs(e, x, wire_shim::RUN_DIR, size, true),
            None => {
                Found::new("none", there(e, wire_shim::RUN_DIR), Some(at(e, wire_shim::RUN_DIR).is_none()))
            }
        },
        Control::Memory => limit(e.cgroup.memory, x.memory),
        Control::Swap => {
            let found = limit(e.cgroup.memory_and_swap, x.memory);
            Found { expected: format!("{} with memory", found.expected), ..found }
        }
        Control::Pids => match e.cgroup.pids {
            Limit::At(n) => {
                Found::new(x.pids.to_string(), n.to_string(), Some(n == u64::from(x.pids))).or(true)
            }
            other @ (Limit::Unseen | Limit::Max) => limit(other, u64::from(x.pids)),
        },
        Control::Cpu => cpu(e, x),
        Control::Network => {
            let seen = format!("{}; connect: {}", e.interfaces.join(" "), e.connect);
            let strict = e.interfaces == ["lo"] && e.connect == ENETUNREACH;
            Found::new("lo; connect: ENETUNREACH", seen, Some(strict)).or(true)
        }
        Control::Ipc => {
            let shm = at(e, "/dev/shm");
            let loose = shm.is_some_and(|m| m.kind == "tmpfs")
                && e.places.get("/dev/shm").is_some_and(|p| holds_about(p, x.shm));
            let strict = shm.is_none() && !e.places.contains_key("/dev/shm");
            Found::new("no /dev/shm", there(e, "/dev/shm"), Some(strict)).or(loose)
        }
        Control::Namespaces => namespaces(e, x),
        Control::Init => {
            let seen = e.init.path.clone().unwrap_or_default();
            let name = x.init.rsplit('/').next().unwrap_or_default();
            let strict = e.init.path.as_ref().map(|p| *p == x.init && e.init.name.as_deref() == Some(name));
            Found::new(&x.init, format!("{seen} ({})", e.init.name.as_deref().unwrap_or("?")), strict)
                .or(true)
        }
        Control::Nofile => rlimit(e, "nofile", x.nofile),
        Control::Core => rlimit(e, "core", 0),
        Control::Env => env(e, x),
        Control::Mounts => mounts(e, x),
        Control::Devices => devices(e, x),
        Control::Userns => {
            let host = e.uid_map.iter().any(|r| r.inside == 0 && r.outside == 0);
            let seen = if host { "users are the host's" } else { "users are mapped" };
            let expected = if x.userns { "users are mapped" } else { "as the engine has them" };
            Found::new(expected, seen, (!e.uid_map.is_empty()).then_some(!x.userns || !host))
        }
    }
}

fn user(e: &Evidence, x: &Expected) -> Found {
    let ((uid, gid), status) = (x.user, &e.status);
    let (uids, gids, groups) = (list(&status.uid), list(&status.gid), list(&status.groups));
    let same = |ids: &[u32], id| ids.len() == 4 && ids.iter().all(|i| *i == id);
    let ours = same(&status.uid, uid) && same(&status.gid, gid) && status.groups.iter().all(|g| *g == gid);
    let strict = tried(e.chown, EPERM, ours);
    let seen = format!("uid {uids}; gid {gids}; groups {groups}; chown: {}", e.chown);
    Found::new(format!("{uid}:{gid}, no other group; chown: EPERM"), seen, strict)
}

fn caps(e: &Evidence) -> Found {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| (name, e.status.caps.get(name)));
    let seen = sets.map(|(name, set)| set.map_or(format!("{name} ?"), |s| format!("{name} {s:x}")));
    let known = sets.iter().all(|(_, set)| set.is_some());
    let empty = sets.iter().all(|(_, set)| set.is_none_or(|s| *s == 0));
    let strict = if empty && !known { None } else { Some(empty) };
    Found::new("all 5 sets 0", seen.join(", "), strict)
}

fn syscalls(e: &Evidence) -> Found {
    let Some(arch) = Arch::from_name(&e.machine) else {
        return Found::new("as our profile says", format!("no profile for {}", e.machine), None).or(true);
    };
    let compared = answers::compare(&e.calls, arch);
    let expected = format!("{} calls as our profile says", compared.rows);
    if !compared.wrong.is_empty() {
        let wrong = compared.wrong.iter().map(|c| format!("{} ({}): {}", c.name, c.way, c.answer));
        let seen = format!("{} not: {}", compared.wrong.len(), wrong.collect::<Vec<_>>().join(", "));
        return Found::new(expected, seen, Some(false)).or(true);
    }
    if !compared.missing.is_empty() {
        return Found::new(expected, format!("not tried: {}", compared.missing.join(", ")), None).or(true);
    }
    Found::new(expected, "all of them", Some(true))
}

fn rootfs(e: &Evidence, x: &Expected) -> Found {
    // Where the spec mounts something, that is written, not the image.
    let image = e.writes.iter().filter(|(path, _)| !x.mounts.contains_key(*path));
    let mut wrongs: Vec<_> =
        image.filter(|(_, a)| **a != EROFS).map(|(path, a)| format!("write to {path}: {a}")).collect();
    if !at(e, "/").is_some_and(|m| m.has("ro")) {
        wrongs.push("mounted to be written".to_owned());
    }
    if !e.writes.contains_key("/") {
        wrongs.push("not tried".to_owned());
    }
    Found::wrongs("read-only; writes: EROFS", "read-only; writes: EROFS", wrongs).or(true)
}

/// Files of the kernel that say more than a container should know, where the kernel has them.
const MASKED: &[&str] = &[
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/acpi",
    "/sys/firmware",
];

fn proc(e: &Evidence) -> Found {
    let tried = e.kernel_writes.iter().filter(|(_, a)| **a != EROFS);
    let mut wrongs: Vec<_> = tried.map(|(path, a)| format!("change of {path}: {a}")).collect();
    if !e.kernel_writes.keys().any(|path| path.starts_with("/proc/sys/")) {
        wrongs.push("/proc/sys was not tried".to_owned());
    }
    let open = MASKED.iter().filter(|path| e.places.contains_key(**path) && at(e, path).is_none());
    wrongs.extend(open.map(|path| format!("{path} is open")));
    let good = "read-only, secrets hidden";
    Found::wrongs(good, good, wrongs)
}

/// A tmpfs of that user and size, in which nothing is executed.
fn tmpfs(e: &Evidence, x: &Expected, path: &str, size: u64, private: bool) -> Found {
    let (uid, gid) = x.user;
    let mode = if private { " 0700" } else { "" };
    let expected = format!("{uid}:{gid}{mode}, {size} bytes, noexec nosuid nodev");
    let (Some(mount), Some(place)) = (at(e, path), e.places.get(path)) else {
        return Found::new(expected, "not there", Some(false));
    };
    let seen = format!(
        "{}:{} {:04o}, {} bytes, {}",
        place.uid,
        place.gid,
        place.mode,
        place.bytes,
        mount.options.join(" ")
    );
    let loose = mount.kind == "tmpfs"
        && ["nosuid", "nodev"].iter().all(|o| mount.has(o))
        && if private { place.mode == 0o700 } else { place.mode & 0o700 == 0o700 }
        && belongs(place, x.user)
        && holds_about(place, size);
    let flags = loose && mount.has("noexec");
    // Only in `/tmp` it is tried.
    let strict = if private { Some(flags) } else { tried(e.tmp_exec, EACCES, flags) };
    let seen = if private { seen } else { format!("{seen}; exec: {}", e.tmp_exec) };
    Found::new(expected, seen, strict).or(loose)
}

/// What else is seen is good, and the trial was answered like this. Untried, it can only be found wrong.
fn tried(answer: Answer, wanted: Answer, good: bool) -> Option<bool> {
    if answer == Answer::Untried { (!good).then_some(false) } else { Some(good && answer == wanted) }
}

fn belongs(place: &Place, (uid, gid): (u32, u32)) -> bool {
    (place.uid, place.gid) == (uid, gid)
}

/// The kernel gives whole pages, of up to 64 KiB.
fn holds_about(place: &Place, size: u64) -> bool {
    place.bytes >= size && place.bytes < size.saturating_add(64 << 10)
}

/// The same the other way: what does not fill a page is not given.
fn limit(seen: Limit, asked: u64) -> Found {
    match seen {
        Limit::Unseen => Found::new(asked.to_string(), "cannot be seen", None).or(true),
        Limit::Max => Found::new(asked.to_string(), "no limit", Some(false)).or(true),
        Limit::At(n) => {
            let strict = n <= asked && n > asked.saturating_sub(64 << 10);
            Found::new(asked.to_string(), n.to_string(), Some(strict)).or(true)
        }
    }
}

fn cpu(e: &Evidence, x: &Expected) -> Found {
    let expected =
        format!("{}.{:03} processors", x.nano_cpus / 1_000_000_000, x.nano_cpus / 1_000_000 % 1000);
    match (e.cgroup.cpu_quota, e.cgroup.cpu_period) {
        (Limit::At(quota), Limit::At(period)) => {
            let asked = u128::from(x.nano_cpus) * u128::from(period) / 1_000_000_000;
            let seen = format!("{quota} of each {period} us");
            Found::new(expected, seen, Some(u128::from(quota) == asked)).or(true)
        }
        (Limit::Max, _) => Found::new(expected, "no limit", Some(false)).or(true),
        _ => Found::new(expected, "cannot be seen", None).or(true),
    }
}

fn namespaces(e: &Evidence, x: &Expected) -> Found {
    /// A kernel's first namespaces have numbers below those that it gives to later ones.
    const FIRST_LATER: u64 = 0xf000_0000;
    let mut wrongs = Vec::new();
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "uts"] {
        match e.namespaces.get(kind) {
            None => wrongs.push(format!("{kind}: cannot be seen")),
            Some(n) if *n < FIRST_LATER || x.host_namespaces.get(kind) == Some(n) => {
                wrongs.push(format!("{kind}: the host's"));
            }
            Some(_) => {}
        }
    }
    // Whoever sees more than there can be here sees those of others.
    let limited = (!x.relaxed.contains(&Control::Pids)).then_some(x.pids);
    if let Some(most) = x.processes.or(limited).filter(|most| e.init.processes > *most) {
        wrongs.push(format!("pid: {} processes are seen, {most} can be here", e.init.processes));
    }
    let good = format!("own cgroup ipc mnt net pid uts; {} processes", e.init.processes);
    Found::wrongs("own cgroup ipc mnt net pid uts", good, wrongs)
}

fn rlimit(e: &Evidence, name: &str, most: u64) -> Found {
    match e.limits.get(name) {
        None => Found::new(most.to_string(), "cannot be seen", None),
        Some((soft, hard)) => {
            let strict = *soft <= most && *hard <= most;
            Found::new(most.to_string(), format!("{soft}, at most {hard}"), Some(strict))
        }
    }
}

fn env(e: &Evidence, x: &Expected) -> Found {
    /// What engines set by themselves.
    const ALWAYS: &[&str] = &["HOME", "HOSTNAME", "PATH", "TERM"];
    let loads = |name: &str| name.starts_with("LD_") || name.starts_with("WIRE_") || name == "GLIBC_TUNABLES";
    let asked =
        |name: &str| ALWAYS.contains(&name) || x.env.as_ref().is_none_or(|names| names.contains(name));
    let wrongs = e.env.iter().filter(|n| loads(n) || !asked(n)).map(|n| format!("{n} is set")).collect();
    Found::wrongs("only names that were asked for", format!("{} names", e.env.len()), wrongs)
}

fn mounts(e: &Evidence, x: &Expected) -> Found {
    let mut wrongs = Vec::new();
    for mount in &e.mounts {
        let fine = match x.mounts.get(&mount.at) {
            Some(ExpectedMount::Outside { writable }) => *writable || mount.has("ro"),
            Some(ExpectedMount::Tmpfs { exec, size }) => {
                mount.kind == "tmpfs"
                    && mount.has("nosuid")
                    && mount.has("nodev")
                    && (*exec || mount.has("noexec"))
                    && e.places.get(&mount.at).is_some_and(|p| belongs(p, x.user) && holds_about(p, *size))
            }
            None => of_every_container(mount, at(e, "/")),
        };
        if !fine {
            wrongs.push(format!("{} ({}, {})", mount.at, mount.kind, mount.options.join(" ")));
        }
    }
    let missing = x.mounts.keys().filter(|path| at(e, path).is_none());
    wrongs.extend(missing.map(|path| format!("{path} is missing")));
    if e.mounts.is_empty() {
        wrongs.push("cannot be seen".to_owned());
    }
    let as_asked = wrongs.is_empty();
    let loosens = |m: &ExpectedMount| match m {
        ExpectedMount::Outside { .. } => true,
        ExpectedMount::Tmpfs { exec, .. } => *exec,
    };
    let outside: Vec<_> = x.mounts.iter().filter(|(_, m)| loosens(m)).map(|(path, _)| path.clone()).collect();
    let expected = "those of every container, and none from outside";
    let found = Found::wrongs(expected, expected, wrongs);
    if !as_asked || outside.is_empty() {
        return found;
    }
    Found::new(expected, format!("from outside: {}", outside.join(" ")), Some(false)).or(true)
}

/// What engines mount by themselves: the kernel's file systems, read-only where they can be, and the few
/// files that name the container.
fn of_every_container(mount: &Mount, root: Option<&Mount>) -> bool {
    let (path, kind) = (mount.at.as_str(), mount.kind.as_str());
    let sealed = mount.has("ro") && mount.has("nosuid") && mount.has("nodev") && mount.has("noexec");
    match path {
        "/" => true,
        "/proc" => kind == "proc",
        "/dev" | "/dev/shm" | "/tmp" | wire_shim::RUN_DIR => kind == "tmpfs",
        "/dev/pts" | "/dev/console" => kind == "devpts",
        "/dev/mqueue" => kind == "mqueue",
        "/sys" => kind == "sysfs" && sealed,
        "/sys/fs/cgroup" => kind == "tmpfs" || (kind == "cgroup2" && sealed),
        // As the image's files are.
        "/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf" => {
            mount.has("ro") || root.is_some_and(|root| !root.has("ro"))
        }
        wire_shim::MOUNT | wire_shim::PATH | "/sbin/docker-init" | "/dev/init" => mount.has("ro"),
        _ if path.starts_with("/sys/fs/cgroup/") => kind == "cgroup" && sealed,
        // Files and folders that are hidden by `/dev/null` or by an empty folder, or made read-only.
        _ if path.starts_with("/proc/") => {
            kind == "tmpfs" || kind == "devtmpfs" || (kind == "proc" && sealed)
        }
        _ if path.starts_with("/sys/") => {
            kind == "tmpfs" || kind == "devtmpfs" || (kind == "sysfs" && sealed)
        }
        _ => false,
    }
}

fn devices(e: &Evidence, x: &Expected) -> Found {
    const ALWAYS: &[(&str, (u32, u32))] = &[
        ("full", (1, 7)),
        ("null", (1, 3)),
        ("random", (1, 8)),
        ("tty", (5, 0)),
        ("urandom", (1, 9)),
        ("zero", (1, 5)),
    ];
    let mut found = 0;
    let mut wrongs = Vec::new();
    for (name, numbers) in e.devices.iter().filter_map(|(name, n)| Some((name, (*n)?))) {
        found += 1;
        // A terminal has the number of its place among all.
        let terminal = x.tty && name == "console";
        if !terminal && !ALWAYS.contains(&(name.as_str(), numbers)) {
            wrongs.push(format!("{name} ({}:{})", numbers.0, numbers.1));
        }
    }
    if e.devices.is_empty() {
        wrongs.push("cannot be seen".to_owned());
    }
    Found::wrongs("full null random tty urandom zero", format!("{found}, none other"), wrongs)
}

/// The last mount at a path is the one that is seen.
fn at<'a>(e: &'a Evidence, path: &str) -> Option<&'a Mount> {
    e.mounts.iter().rfind(|m| m.at == path)
}

fn there(e: &Evidence, path: &str) -> String {
    e.places.get(path).map_or_else(|| "not there".to_owned(), |p| format!("{} bytes", p.bytes))
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn number(n: Option<u32>) -> String {
    n.map_or_else(|| "not shown".to_owned(), |n| n.to_string())
}

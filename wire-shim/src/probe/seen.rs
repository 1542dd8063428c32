//! What the attestor reads and tries with the standard library: all of the evidence but the system calls.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};

use rustix::process::{Resource, getrlimit};
use wire_shim::evidence::{Answer, Cgroup, IdRange, Init, Limit, Mount, Place, Status};

/// Folders of an image. One that is not there, or may not be entered, is left out of the answers.
const FOLDERS: &[&str] = &["/", "/etc", "/home", "/opt", "/usr", "/var"];

/// Files of the kernel that change the machine. A read-only mount refuses before it is asked who wants to.
const KERNEL_FILES: &[&str] =
    &["/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel"];

/// Paths whose owner, mode and size matter, or whether they are there at all.
const PLACES: &[&str] = &[
    "/",
    "/tmp",
    "/run/wire",
    "/dev",
    "/dev/shm",
    "/etc/hosts",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];

pub(super) fn status() -> Status {
    let text = read("/proc/self/status").unwrap_or_default();
    let mut status = Status::default();
    for (key, value) in text.lines().filter_map(|l| l.split_once(':')) {
        let numbers = || value.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<u32>>();
        match key {
            "Uid" => status.uid = numbers(),
            "Gid" => status.gid = numbers(),
            "Groups" => status.groups = numbers(),
            "NoNewPrivs" => status.no_new_privs = numbers().first().copied(),
            "Seccomp" => status.seccomp = numbers().first().copied(),
            "Seccomp_filters" => status.seccomp_filters = numbers().first().copied(),
            "CapInh" | "CapPrm" | "CapEff" | "CapBnd" | "CapAmb" => {
                // What cannot be read counts as everything, not as nothing.
                let set = u64::from_str_radix(value.trim(), 16).unwrap_or(u64::MAX);
                status.caps.insert(key.into(), set);
            }
            _ => {}
        }
    }
    status
}

pub(super) fn init() -> Init {
    let processes = entries("/proc").iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())).count();
    let path = fs::read("/proc/1/cmdline").ok().map(|line| {
        let first = line.split(|b| *b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(first).into_owned()
    });
    Init {
        name: read("/proc/1/comm").map(|n| n.trim_end().to_owned()),
        path: path.filter(|p| !p.is_empty()),
        processes: u32::try_from(processes).unwrap_or(u32::MAX),
    }
}

pub(super) fn namespaces() -> BTreeMap<String, u64> {
    let number = |kind: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
        link.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    };
    ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
        .into_iter()
        .filter_map(|kind| Some((kind.to_owned(), number(kind)?)))
        .collect()
}

pub(super) fn uid_map() -> Vec<IdRange> {
    let text = read("/proc/self/uid_map").unwrap_or_default();
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(IdRange { inside: next()?, outside: next()?, count: next()? })
    };
    text.lines().filter_map(range).collect()
}

pub(super) fn mounts() -> Vec<Mount> {
    read("/proc/self/mountinfo").unwrap_or_default().lines().filter_map(mount).collect()
}

/// A line of mountinfo: `id parent dev root at options [tags..] - kind source fs-options`.
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(4);
    let (at, options) = (left.next()?, left.next()?);
    let mut right = right.split(' ');
    let kind = right.next()?.to_owned();
    let _source = right.next()?;
    // A layered file system's options are paths of the host.
    let layered = kind.contains("overlay");
    let list = |options: &str| options.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut fs_options = list(right.next().unwrap_or_default());
    fs_options.retain(|o| !layered || o == "ro" || o == "rw");
    Some(Mount { at: unescaped(at), options: list(options), kind, fs_options })
}

/// A path of proc(5): what would break the line is a backslash and three octal digits, the backslash itself too.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = (*first == b'\\').then(|| octal(after.get(..3)?)).flatten();
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        number.checked_mul(8)?.checked_add(digit)
    })
}

pub(super) fn writes() -> BTreeMap<String, Answer> {
    // One that may not be entered would refuse for that, and say nothing about the mount.
    let there = FOLDERS.iter().filter(|f| fs::metadata(format!("{f}/.")).is_ok());
    there.map(|folder| ((*folder).to_owned(), create(folder).0)).collect()
}

pub(super) fn kernel_writes() -> BTreeMap<String, Answer> {
    let there = KERNEL_FILES.iter().filter_map(|path| Some((*path, fs::metadata(path).ok()?)));
    there
        .map(|(path, meta)| (path.to_owned(), answer(&fs::set_permissions(path, meta.permissions()))))
        .collect()
}

/// Creates an empty program in the folder, and takes it away again when the guard goes.
fn create(folder: &str) -> (Answer, Option<Made>) {
    let path = format!("{}/.wire-probe-{}", folder.trim_end_matches('/'), std::process::id());
    let made = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path);
    (answer(&made), made.is_ok().then_some(Made(path)))
}

struct Made(String);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Of the paths that matter, and of everything that is in memory.
pub(super) fn places(mounts: &[Mount]) -> BTreeMap<String, Place> {
    let place = |path: &str| {
        let meta = fs::symlink_metadata(path).ok()?;
        let fs = rustix::fs::statvfs(path).ok()?;
        Some(Place {
            uid: meta.uid(),
            gid: meta.gid(),
            mode: meta.permissions().mode() & 0o7777,
            bytes: fs.f_blocks.saturating_mul(fs.f_frsize),
        })
    };
    let memory = mounts.iter().filter(|mount| mount.kind == "tmpfs").map(|mount| mount.at.as_str());
    PLACES.iter().copied().chain(memory).filter_map(|path| Some((path.to_owned(), place(path)?))).collect()
}

/// Gives an own file to somebody else, and executes it: an empty program, which the kernel refuses in one
/// way where it would have looked at it, and in another where nothing may be executed.
pub(super) fn chown_and_exec() -> (Answer, Answer) {
    let (_, Some(made)) = create("/tmp") else {
        return (Answer::Untried, Answer::Untried);
    };
    let other = u32::from(rustix::process::getuid().is_root());
    let chown = answer(&chown(&made.0, Some(other), None));
    (chown, answer(&std::process::Command::new(&made.0).spawn()))
}

pub(super) fn interfaces() -> Vec<String> {
    let text = read("/proc/net/dev").unwrap_or_default();
    text.lines().filter_map(|l| Some(l.split_once(':')?.0.trim().to_owned())).collect()
}

/// Asks for a route to an address for documentation (RFC 5737). With datagrams nothing is sent by that.
pub(super) fn connect() -> Answer {
    match UdpSocket::bind("0.0.0.0:0") {
        Ok(socket) => answer(&socket.connect("192.0.2.1:9")),
        Err(e) => answer::<()>(&Err(e)),
    }
}

pub(super) fn devices() -> BTreeMap<String, Option<(u32, u32)>> {
    let numbers = |name: &str| {
        let meta = fs::symlink_metadata(format!("/dev/{name}")).ok()?;
        let device = meta.file_type().is_char_device() || meta.file_type().is_block_device();
        device.then(|| (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev())))
    };
    entries("/dev").into_iter().map(|name| (name.clone(), numbers(&name))).collect()
}

pub(super) fn limits() -> BTreeMap<String, (u64, u64)> {
    let limit = |resource| {
        let limit = getrlimit(resource);
        (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX))
    };
    BTreeMap::from([
        ("nofile".to_owned(), limit(Resource::Nofile)),
        ("core".to_owned(), limit(Resource::Core)),
    ])
}

pub(super) fn cgroup() -> Cgroup {
    let file = |name: &str| read(&format!("/sys/fs/cgroup/{name}"));
    let limit = |name: &str| file(name).map_or(Limit::Unseen, |text| parse_limit(text.trim()));
    if file("cgroup.controllers").is_some() {
        let cpu = file("cpu.max").unwrap_or_default();
        let mut cpu = cpu.split_whitespace().map(parse_limit);
        return Cgroup {
            version: 2,
            memory: limit("memory.max"),
            memory_and_swap: sum(limit("memory.max"), limit("memory.swap.max")),
            pids: limit("pids.max"),
            cpu_quota: cpu.next().unwrap_or_default(),
            cpu_period: cpu.next().unwrap_or_default(),
        };
    }
    let cgroup = Cgroup {
        version: 1,
        memory: limit("memory/memory.limit_in_bytes"),
        memory_and_swap: limit("memory/memory.memsw.limit_in_bytes"),
        pids: limit("pids/pids.max"),
        cpu_quota: limit("cpu/cpu.cfs_quota_us"),
        cpu_period: limit("cpu/cpu.cfs_period_us"),
    };
    let seen = [cgroup.memory, cgroup.pids, cgroup.cpu_quota].iter().any(|l| *l != Limit::Unseen);
    if seen { cgroup } else { Cgroup::default() }
}

/// The kernel's ways to say "no limit": a word, a negative number, or one near the largest.
fn parse_limit(text: &str) -> Limit {
    match text.parse::<i64>() {
        Ok(n) if (0..1 << 62).contains(&n) => Limit::At(n.unsigned_abs()),
        Ok(_) => Limit::Max,
        Err(_) if text == "max" => Limit::Max,
        Err(_) => Limit::Unseen,
    }
}

fn sum(a: Limit, b: Limit) -> Limit {
    match (a, b) {
        (Limit::At(a), Limit::At(b)) => Limit::At(a.saturating_add(b)),
        (Limit::Unseen, _) | (_, Limit::Unseen) => Limit::Unseen,
        _ => Limit::Max,
    }
}

pub(super) fn env() -> Vec<String> {
    let mut names: Vec<_> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn answer<T>(result: &io::Result<T>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(e) => e.raw_os_error().map_or(Answer::Untried, |n| Answer::Errno(n.unsigned_abs())),
    }
}

fn read(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// Names in a folder.
fn entries(path: &str) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layered_mount_tells_no_path_of_the_host() {
        let line =
            "1 2 0:3 / / ro,relatime master:1 - overlay overlay rw,lowerdir=/var/lib/x,upperdir=/var/lib/y";
        let mount = mount(line).unwrap();
        assert_eq!((mount.at.as_str(), mount.kind.as_str()), ("/", "overlay"));
        assert!(mount.has("ro"));
        assert_eq!(mount.fs_options, ["rw"]);
    }

    #[test]
    fn a_mount_is_where_it_is_whatever_its_name_holds() {
        for (written, at) in [
            (r"/wo\040rk", "/wo rk"),
            (r"/wo\134rk", r"/wo\rk"),
            (r"/wo\134040rk", r"/wo\040rk"),
            (r"/a\011b\012c\043", "/a\tb\nc#"),
            (r"/caf\303\251", "/café"),
            ("/café", "/café"),
            (r"/a\04", r"/a\04"),
            (r"/a\999", r"/a\999"),
            (r"/a\777", r"/a\777"),
        ] {
            let line = format!("1 2 0:3 / {written} rw,nosuid - tmpfs tmpfs rw,size=1024k");
            assert_eq!(mount(&line).unwrap().at, at, "{written}");
        }
    }

    #[test]
    fn a_limit_is_a_number_or_none() {
        for none in ["max", "-1", "9223372036854771712"] {
            assert_eq!(parse_limit(none), Limit::Max, "{none}");
        }
        assert_eq!(parse_limit("536870912"), Limit::At(536_870_912));
        assert_eq!(parse_limit("?"), Limit::Unseen);
        assert_eq!(sum(Limit::At(5), Limit::At(0)), Limit::At(5));
        assert_eq!(sum(Limit::At(5), Limit::Max), Limit::Max);
    }
}

//! Images, made on this machine without a registry.
//!
//! Each is named after what is in it, `wire-test/NAME:HASH`, so that it is made once for each engine and
//! shared by test processes that run at once: a lock lets one of them make it, the others find it. Those of
//! older contents are removed a day later, when nobody can be at work with them any more.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// BusyBox with a link for each of its commands, users, and the folders that images have.
pub fn busybox() -> String {
    static MADE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let _lock = lock();
        import("busybox", &busybox_archive(), &[])
    })
    .clone()
}

/// Its name and its root file system, for an engine that is a test's own.
pub fn busybox_packed() -> (String, Vec<u8>) {
    let _lock = lock();
    let archive = busybox_archive();
    (tag("busybox", &archive), archive)
}

fn busybox_archive() -> Vec<u8> {
    let program = busybox_program();
    let mut root = Root::default();
    root.file("bin/busybox", 0o755, &fs::read(&program).unwrap());
    let list = stdout(Command::new(&program).arg("--list"));
    for name in String::from_utf8(list).unwrap().lines().filter(|n| *n != "busybox") {
        root.link(&format!("bin/{name}"), "/bin/busybox");
    }
    for (path, mode) in
        [("etc", 0o755), ("home", 0o755), ("opt", 0o755), ("root", 0o700), ("tmp", 0o755), ("var", 0o755)]
    {
        root.folder(path, mode);
    }
    root.file("etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\nuser:x:65532:65532::/tmp:/bin/sh\n");
    root.file("etc/group", 0o644, b"root:x:0:\nuser:x:65532:\n");
    root.end()
}

/// The shim alone: no shell, no folder, nothing else.
pub fn scratch() -> String {
    let _lock = lock();
    let mut root = Root::default();
    root.file("shim", 0o755, &fs::read(super::shim::program()).unwrap());
    import("scratch", &root.end(), &[])
}

/// No file at all: for what is mounted into it. A link for each of the old places of programs.
pub fn skeleton() -> String {
    let _lock = lock();
    let mut root = Root::default();
    for name in ["bin", "lib", "lib64", "sbin"] {
        root.link(name, &format!("usr/{name}"));
    }
    root.folder("etc", 0o755);
    root.file("etc/passwd", 0o644, b"user:x:65532:65532::/work:/bin/sh\n");
    import("skeleton", &root.end(), &[])
}

/// BusyBox in an image whose configuration is against whoever starts it: these lines of a Dockerfile.
pub fn hostile(lines: &[&str]) -> String {
    let base = busybox();
    let _lock = lock();
    let recipe = format!("FROM {base}\n{}\n", lines.join("\n"));
    let tag = tag("hostile", recipe.as_bytes());
    if !exists(&tag) {
        let mut build = Command::new("docker");
        // The classic builder: it is part of every engine, and needs no container for these lines.
        build.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--label", LABEL, "--tag", &tag, "-"]);
        feed(&mut build, recipe.as_bytes());
        remove_old("hostile");
    }
    tag
}

/// Lines for [`hostile`]: everything that an image can say about its containers.
pub const HOSTILE: &[&str] = &[
    "USER 0:0",
    "ENV LD_PRELOAD=/evil.so PATH=/evil GLIBC_TUNABLES=glibc.malloc.check=3 WIRE_TOKEN=forged",
    "VOLUME /data",
    "LABEL wire.owner=somebody-else wire.key=forged",
    "HEALTHCHECK --interval=1s CMD touch /tmp/healthy",
    "STOPSIGNAL SIGUSR1",
    "WORKDIR /proc/self",
    "EXPOSE 80",
    "ENTRYPOINT [\"/bin/sh\", \"-c\", \"exec sleep 1000\"]",
];

/// By which images of these tests are told. It is none of Wire's own labels, which images may not have.
const LABEL: &str = "wire-test=image";

/// Imports the archive under its name, unless the engine has it.
fn import(name: &str, archive: &[u8], changes: &[&str]) -> String {
    let tag = tag(name, archive);
    if !exists(&tag) {
        let mut import = Command::new("docker");
        import.args(["import", "--change", &format!("LABEL {LABEL}")]);
        for change in changes {
            import.args(["--change", change]);
        }
        feed(import.args(["-", &tag]), archive);
        remove_old(name);
    }
    tag
}

fn tag(name: &str, content: &[u8]) -> String {
    // The label is a part of the image too.
    let hash = Sha256::new().chain_update(LABEL).chain_update(content).finalize();
    let hash = data_encoding::HEXLOWER.encode(&hash);
    format!("wire-test/{name}:{}", &hash[..16])
}

fn exists(tag: &str) -> bool {
    let done = Command::new("docker").args(["image", "inspect", "--format", "{{.Id}}", tag]).output();
    done.expect("the docker command, and an engine that runs").status.success()
}

/// Removes this image's tags of other contents that are older than a day.
fn remove_old(name: &str) {
    let format = "{{.Repository}}:{{.Tag}} {{.CreatedSince}}";
    let list =
        stdout(Command::new("docker").args(["images", "--format", format, &format!("wire-test/{name}")]));
    for line in String::from_utf8_lossy(&list).lines() {
        let Some((tag, age)) = line.split_once(' ') else { continue };
        if ["day", "week", "month", "year"].iter().any(|unit| age.contains(unit)) {
            // In use it stays, which is as well.
            let _ = Command::new("docker").args(["rmi", tag]).output();
        }
    }
}

/// A static BusyBox: the machine's, or unpacked from Debian's package.
fn busybox_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/bin")]);
    let mut there = folders.map(|folder| folder.join("busybox")).filter(|p| is_static(p));
    if let Some(found) = there.next() {
        return found;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox");
    let unpacked = folder.join("bin/busybox");
    if !is_static(&unpacked) {
        fs::create_dir_all(&folder).unwrap();
        let fetched =
            Command::new("apt-get").current_dir(&folder).args(["download", "busybox-static"]).output();
        let package = fs::read_dir(&folder).unwrap().flatten().map(|e| e.path());
        let package = package.into_iter().find(|p| p.extension() == Some(OsStr::new("deb")));
        let Some(package) = package else {
            panic!("no static busybox: install the package busybox-static ({fetched:?})");
        };
        let done = Command::new("dpkg").arg("-x").arg(package).arg(&folder).output().unwrap();
        assert!(done.status.success() && is_static(&unpacked), "no static busybox in its package: {done:?}");
    }
    unpacked
}

/// A 64-bit program for Linux that asks for no loader (no `PT_INTERP` among its headers).
fn is_static(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let number = |at: usize, size: usize| -> Option<usize> {
        let field = bytes.get(at..at + size)?;
        Some(field.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)))
    };
    let headers = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let Some((first, size, count)) = headers().filter(|_| bytes.starts_with(b"\x7fELF\x02")) else {
        return false;
    };
    (0..count).all(|i| number(first + i * size, 4).is_some_and(|kind| kind != 3))
}

/// One test process at a time, on this machine, whichever checkout it is of. Ends with the file.
fn lock() -> File {
    let path = std::env::temp_dir().join("wire-test-images.lock");
    let file = File::options().create(true).append(true).open(path).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

fn feed(command: &mut Command, input: &[u8]) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn stdout(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// An archive of a root, the same bytes for the same contents.
pub struct Root(tar::Builder<Vec<u8>>);

impl Default for Root {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl Root {
    pub fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.append(EntryType::Regular, path, mode, bytes);
    }

    pub fn folder(&mut self, path: &str, mode: u32) {
        self.append(EntryType::Directory, path, mode, &[]);
    }

    pub fn link(&mut self, path: &str, to: &str) {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, path, to).unwrap();
    }

    pub fn end(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn append(&mut self, kind: EntryType, path: &str, mode: u32, bytes: &[u8]) {
        let mut header = header(kind, mode, bytes.len());
        self.0.append_data(&mut header, path, bytes).unwrap();
    }
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(u64::try_from(size).unwrap());
    header.set_mtime(0);
    header
}

//! What the processes stand on: disks that can be filled, and clocks that can be put forward and back. Both are
//! theirs alone.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a process finds by how much its clock is off. It is not one of `wire`'s variables, so it reaches the relay.
const CLOCK: &str = "CHAOS_CLOCK";
/// The folder of the clocks; who has it may mount if `MOUNTS` is there too.
const FOLDER: &str = "CHAOS_FOLDER";
const MOUNTS: &str = "CHAOS_MOUNTS";

/// The ways to a namespace of mounts of one's own: as root, and as anybody where the kernel lets them.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];

/// Runs the test once more where it may mount and where clocks can be moved. False within that.
pub(crate) fn ran_elsewhere(test: &str) -> bool {
    if std::env::var_os(FOLDER).is_some() {
        return false;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/clock.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(compiled.expect("the C compiler that SQLite is built with").success());
    let way = WAYS.into_iter().find(|way| {
        let mut mount = Command::new("unshare");
        mount.args(*way).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(folder.path());
        mount.output().is_ok_and(|done| done.status.success())
    });
    let exe = std::env::current_exe().unwrap();
    let mut again = match way {
        Some(way) => {
            let mut unshare = Command::new("unshare");
            unshare.args(way).arg(exe).env(MOUNTS, "1");
            unshare
        }
        None => {
            println!("SKIPPED: disks that are full, as no namespace of mounts is to be had");
            Command::new(exe)
        }
    };
    again.args(["--exact", test, "--nocapture"]).env(FOLDER, folder.path());
    let clock = Clock::new(folder.path(), "relay");
    again.env("LD_PRELOAD", library).env(CLOCK, &clock.path);
    assert!(again.status().unwrap().success());
    true
}

/// The clock of a side or, with all that this test starts itself, of the relay.
pub(crate) struct Clock {
    path: PathBuf,
}

impl Clock {
    pub(crate) fn of(name: &str) -> Self {
        Self::new(Path::new(&std::env::var_os(FOLDER).unwrap()), name)
    }

    fn new(folder: &Path, name: &str) -> Self {
        let clock = Self { path: folder.join(format!("clock-of-{name}")) };
        clock.is_off_by(0);
        clock
    }

    pub(crate) fn is_off_by(&self, seconds: i64) {
        // Never shorter than its page is looked at.
        let mut file = File::options().write(true).create(true).truncate(false).open(&self.path).unwrap();
        file.write_all(&seconds.to_ne_bytes()).unwrap();
    }

    pub(crate) fn env(&self) -> (&'static str, &Path) {
        (CLOCK, &self.path)
    }
}

/// A small file system of its own.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Makes the folder too. None where nothing can be mounted.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        std::env::var_os(MOUNTS)?;
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs"])
            .arg(path)
            .status();
        assert!(mounted.unwrap().success());
        Some(Self(path.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// To the last byte.
    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let zeros = vec![0; 1 << 16];
        while ballast.write_all(&zeros).is_ok() {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has files open on it keeps it, and nobody else.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

//! A Docker Engine of a test's own, which it may kill.
//!
//! It runs in network and mount namespaces of its own: without the first, an engine without a bridge deletes
//! that of the machine. A process that holds the namespaces outlives it, so that what runs on under
//! live-restore is found again. Everything that is in them is ended with it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Endpoint, EngineConfig};

pub struct PrivateDockerd {
    folder: TempDir,
    /// Ends when its input does, and so with this process.
    holder: Child,
    engine: Option<Child>,
    live_restore: bool,
    cgroup: String,
}

impl PrivateDockerd {
    /// A running one, or `None` and a line that says why there can be none here.
    pub async fn start(live_restore: bool) -> Option<Self> {
        Self::with(live_restore, |_| "{}".to_owned()).await
    }

    /// The same with this configuration, made for the engine's folder.
    pub async fn with(live_restore: bool, config: impl FnOnce(&Path) -> String) -> Option<Self> {
        if let Err(why) = possible() {
            println!("SKIPPED: {why}");
            return None;
        }
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let cgroup = format!("wire-test-{}-{count}", std::process::id());
        let folder = TempDir::new().unwrap();
        for name in ["data", "exec", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("config.json"), config(folder.path())).unwrap();
        // The sockets of containerd's shims lie in /run/containerd, whichever engine they serve.
        let hold = r#"mkdir -p /run/containerd && mount --bind "$0/run" /run/containerd && : >"$0/held" && exec cat"#;
        let holder = Command::new("unshare")
            .args(["-n", "-m", "sh", "-c", hold])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let held = folder.path().join("held");
        until("the namespaces", || held.exists()).await;
        let mut this = Self { folder, holder, engine: None, live_restore, cgroup };
        this.run().await;
        Some(this)
    }

    /// Starts it, and waits until it answers.
    pub async fn run(&mut self) {
        assert!(self.engine.is_none(), "it runs");
        let _ = fs::remove_file(self.at("pid"));
        let path = |name: &str| self.at(name).display().to_string();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "nsenter", "-n", "-m", "--target"])
            .arg(self.holder.id().to_string())
            .args(["dockerd", "--bridge", "none", "--iptables=false", "--log-level", "warn"])
            .args(["--config-file", &path("config.json"), "--pidfile", &path("pid")])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec")])
            .args([
                "--host",
                &format!("unix://{}", path("engine")),
                "--cgroup-parent",
                &format!("/{}", self.cgroup),
            ]);
        if self.live_restore {
            command.arg("--live-restore");
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.at("log")).unwrap();
        command.env("TMPDIR", self.at("run"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.engine = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while Client::connect(self.config()).await.is_err() {
            let ended = self.engine.as_mut().unwrap().try_wait().unwrap();
            let log = || fs::read_to_string(self.at("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "dockerd: {ended:?}\n{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it with SIGKILL, or ends it with SIGTERM, and waits until its containerd is gone too.
    pub async fn end(&mut self, signal: Signal) {
        let mut engine = self.engine.take().expect("it runs");
        let pid_file = self.at("exec/containerd/containerd.pid");
        let containerd = fs::read_to_string(&pid_file).unwrap();
        send(engine.id(), signal);
        until("dockerd's end", || engine.try_wait().unwrap().is_some()).await;
        until("containerd's end", || gone(containerd.trim().parse().unwrap())).await;
        // The next one would take a zombie of that number for a containerd that runs, and wait for it.
        let _ = fs::remove_file(pid_file);
    }

    /// Makes it hang. Returns when no thread of it runs any more.
    pub async fn hang(&self) {
        let pid = self.engine.as_ref().expect("it runs").id();
        send(pid, Signal::STOP);
        let stopped = || {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            threads
                .flatten()
                .all(|thread| state(&thread.path().join("stat")).is_none_or(|state| state == 'T'))
        };
        until("dockerd to hang", stopped).await;
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        send(self.engine.as_ref().expect("it runs").id(), Signal::CONT);
    }

    /// Kills all of it at once: the engine, what watches the containers, and the containers.
    pub async fn crash(&mut self) {
        let mut engine = self.engine.take().expect("it runs");
        send(engine.id(), Signal::KILL);
        until("dockerd's end", || engine.try_wait().unwrap().is_some()).await;
        until("the end of everything", || {
            let others: Vec<u32> = self.others().into_iter().filter(|pid| !gone(*pid)).collect();
            others.iter().for_each(|pid| send(*pid, Signal::KILL));
            others.is_empty()
        })
        .await;
        let _ = fs::remove_file(self.at("exec/containerd/containerd.pid"));
    }

    pub fn path(&self) -> PathBuf {
        self.at("engine")
    }

    /// Where it keeps what it has.
    pub fn root(&self) -> PathBuf {
        self.at("data")
    }

    pub fn config(&self) -> EngineConfig {
        EngineConfig::new(Endpoint::Unix(self.path()))
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.config()).await.unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything in its mount namespace but the holder, and everything in its control groups: the
    /// containers' processes have mount namespaces of their own.
    fn others(&self) -> BTreeSet<u32> {
        let own = namespace(self.holder.id());
        let mut found: BTreeSet<u32> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
            .filter(|pid| own.is_some() && namespace(*pid) == own && *pid != self.holder.id())
            .collect();
        for folder in self.cgroups() {
            let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            found.extend(pids.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        found
    }

    /// Its control groups, inner ones first.
    fn cgroups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let top = Path::new("/sys/fs/cgroup");
        let roots = fs::read_dir(top).into_iter().flatten().map(|entry| entry.unwrap().path());
        for root in roots.filter(|path| path.is_dir()).chain([top.to_owned()]) {
            below(&root.join(&self.cgroup), &mut found);
        }
        found
    }
}

impl Drop for PrivateDockerd {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        // dockerd first, as it starts the others again.
        if let Some(mut engine) = self.engine.take() {
            send(engine.id(), Signal::KILL);
            let _ = engine.wait();
        }
        while Instant::now() < deadline {
            let others: Vec<u32> = self.others().into_iter().filter(|pid| !gone(*pid)).collect();
            if others.is_empty() {
                break;
            }
            for pid in others {
                send(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for folder in self.cgroups() {
            while let Err(error) = fs::remove_dir(&folder) {
                if error.kind() == ErrorKind::NotFound || Instant::now() > deadline {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Whether this machine can run one.
fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("a private dockerd needs root".to_owned());
    }
    for (name, test) in [("dockerd", "--version"), ("nsenter", "--version"), ("setpriv", "--version")] {
        if Command::new(name).arg(test).output().is_err() {
            return Err(format!("there is no {name}"));
        }
    }
    match Command::new("unshare").args(["-n", "-m", "true"]).output() {
        Ok(done) if done.status.success() => Ok(()),
        _ => Err("namespaces cannot be made here".to_owned()),
    }
}

/// Waits for an event that nothing announces.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Signals a process that is a child, or was just seen to be in the namespaces: the pidfd makes the number
/// stand for one process until the signal is sent.
fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) {
        let _ = pidfd_send_signal(&process, signal);
    }
}

/// It is not there, or a zombie that the first process has not reaped yet.
pub fn gone(pid: u32) -> bool {
    state(&PathBuf::from(format!("/proc/{pid}/stat"))).is_none_or(|state| state == 'Z')
}

/// The letter after the name, which is in parentheses and may hold more of them.
fn state(stat: &Path) -> Option<char> {
    fs::read_to_string(stat).ok()?.rsplit_once(')')?.1.trim_start().chars().next()
}

fn namespace(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&entry.path(), found);
        }
    }
    found.push(folder.to_owned());
}

//! An installation on the machine's engine that leaves nothing there, and what this process itself uses.

use std::time::Duration;

use tempfile::TempDir;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Docker, EngineConfig, Exec, Sandbox};
use wire_core::spawn::{Command, ExecEvent, Lifetime, Limits, Outcome, ShimMode, SpawnSpec, Stream};

use super::hardened::docker;
use super::{home, images};

/// An owner of its own. Its containers go with it, also when the test fails.
pub struct Ground {
    pub docker: Docker,
    pub home: TempDir,
    owner: String,
}

impl Ground {
    pub async fn new() -> Self {
        let (docker, home) = home::docker().await;
        let owner = format!("label=wire.owner={}", docker.owner().to_hex());
        Self { docker, home, owner }
    }

    pub async fn spawn(&self, spec: SpawnSpec) -> Sandbox {
        self.docker.spawn(spec).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A container with the shim that waits for programs.
    pub async fn waiting(&self) -> Sandbox {
        self.spawn(SpawnSpec::new(images::busybox())).await
    }

    /// A container without the shim that waits.
    pub async fn plain(&self) -> Sandbox {
        self.spawn(plain(["sleep", "1000"])).await
    }

    /// Its containers in every state, by id.
    pub fn containers(&self) -> Vec<String> {
        let done = docker(&["ps", "-aq", "--no-trunc", "--filter", &self.owner]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for id in self.containers() {
            docker(&["rm", "-f", "-v", &id]);
        }
    }
}

/// Whether tests are to take their time: `.ci/run long`.
pub fn long() -> bool {
    std::env::var_os("WIRE_TEST_LONG").is_some()
}

/// BusyBox with this command, without the shim.
pub fn plain<const N: usize>(argv: [&str; N]) -> SpawnSpec {
    SpawnSpec::new(images::busybox())
        .cmd(argv)
        .shim(ShimMode::Off)
        .lifetime(Lifetime::For(Duration::from_secs(300)))
}

/// BusyBox with this little memory.
pub fn small(memory: u64) -> SpawnSpec {
    SpawnSpec::new(images::busybox()).limits(Limits::default().memory(memory))
}

/// A line of shell.
pub fn sh(line: &str) -> Command {
    Command::new(["sh", "-c", line])
}

pub async fn client() -> Client {
    Client::connect(EngineConfig::from_env().unwrap()).await.unwrap()
}

/// What runs in a container, as the machine sees it.
pub fn processes(id: &str) -> Vec<String> {
    let done = docker(&["top", id, "-eo", "pid,args"]);
    String::from_utf8(done.stdout).unwrap().lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

/// Waits until nothing but the first process runs.
pub async fn until_only_the_shim_runs(id: &str) {
    until("only the shim runs", || processes(id).len() == 1).await;
}

/// Looks until it is so. That it never becomes so is for the runner's own limit to say.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for look in 0_u32.. {
        if so() {
            return;
        }
        if look == 200 {
            println!("still waiting until {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Descriptors that are open here.
pub fn descriptors() -> usize {
    // The folder itself is one.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// The most memory that this process had at once since [`forget_peak`], in KiB.
pub fn peak() -> u64 {
    status("VmHWM:")
}

/// The memory that it has now, in KiB.
pub fn resident() -> u64 {
    status("VmRSS:")
}

/// Lets the peak begin anew, and gives it.
pub fn forget_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// What a program told, from its start to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub outcome: Outcome,
    pub oom_seen: bool,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Reads a program that was started here, and holds it to what every program's events promise: `Started` comes
/// first, or not at all if it never ran; each stream goes on where it was; nothing is lost; `Ended` is the last.
pub async fn hear(mut exec: Exec) -> Told {
    let (mut started, mut streams, mut closed) = (false, [Vec::new(), Vec::new()], [false; 2]);
    let at = |stream| usize::from(stream == Stream::Stderr);
    loop {
        match exec.next().await.expect("it ends before it has said how") {
            ExecEvent::Started { .. } => {
                assert!(
                    !started && streams.iter().all(Vec::is_empty),
                    "it starts once, before it says anything"
                );
                started = true;
            }
            ExecEvent::Out { stream, offset, bytes } => {
                assert!(started && !bytes.is_empty() && !closed[at(stream)]);
                assert_eq!(offset, streams[at(stream)].len() as u64, "{stream:?} goes on where it was");
                streams[at(stream)].extend(bytes);
            }
            ExecEvent::Gap { stream, from, to } => panic!("{from} to {to} of {stream:?} are lost"),
            ExecEvent::Eof { stream } => {
                assert!(!closed[at(stream)], "{stream:?} ends once");
                closed[at(stream)] = true;
            }
            ExecEvent::Ended { outcome, oom_seen } => {
                assert_eq!(started, !matches!(outcome, Outcome::NotStarted(_)), "{outcome:?}");
                assert_eq!(exec.next().await, None, "nothing comes after the end");
                let [stdout, stderr] = streams;
                return Told { outcome, oom_seen, stdout, stderr };
            }
            other => panic!("{other:?}"),
        }
    }
}

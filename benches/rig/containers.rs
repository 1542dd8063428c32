//! The machine's Docker Engine, as this library uses it and as the command `docker` does: the same image,
//! the same limits, the same locks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire_core::spawn::docker::{Docker, DockerConfig, Sandbox};
use wire_core::spawn::seccomp::{self, Arch};
use wire_core::spawn::{ImageName, Lifetime, ShimMode, SpawnSpec};

use super::Outcome;

/// What both make containers of.
pub const IMAGE: &str = "wire-bench/busybox:latest";

/// An installation of its own, and the image.
#[derive(Debug)]
pub struct Engine {
    /// The installation.
    pub docker: Docker,
    home: TempDir,
}

impl Engine {
    /// Connects and makes the image, or says what is missing.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let home = tempfile::tempdir_in(folder)?;
        let docker = Docker::connect(DockerConfig::from_env(home.path())?).await?;
        if !docker_command(&["version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            return Err("the command docker does not reach the engine".into());
        }
        let root = std::io::Cursor::new(root(folder)?);
        docker.import_image(&ImageName::parse(IMAGE)?, root).await?;
        let arch = Arch::from_name(std::env::consts::ARCH);
        let profile = seccomp::profile(arch.ok_or("no profile for this processor")?);
        fs::write(home.path().join("seccomp.json"), profile.to_string())?;
        Ok(Self { docker, home })
    }

    /// The installation's folder, for another process of it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A container that runs this.
    pub fn spec(&self, argv: &[&str]) -> SpawnSpec {
        SpawnSpec::new(IMAGE).cmd(argv.iter().copied())
    }

    /// The same without the shim.
    pub fn bare(&self, argv: &[&str]) -> SpawnSpec {
        self.spec(argv).shim(ShimMode::Off).lifetime(Lifetime::For(Duration::from_secs(3600)))
    }

    /// A container of ours.
    pub async fn spawn(&self, spec: SpawnSpec) -> Outcome<Sandbox> {
        Ok(self.docker.spawn(spec).await?)
    }

    /// `docker run`, with what this library asks for by default, the image and what to run.
    pub fn run(&self, options: &[&str], argv: &[&str]) -> Command {
        let mut command = docker_command(&["run"]);
        command.args(options).args(LOCKED).arg("--security-opt");
        command.arg(format!("seccomp={}", self.home.path().join("seccomp.json").display()));
        command.arg(IMAGE).args(argv);
        command
    }

    /// A container of the command's own, until this is dropped.
    pub fn theirs(&self, argv: &[&str]) -> Outcome<Theirs> {
        let done = self.run(&["-d"], argv).output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
        }
        Ok(Theirs { id: String::from_utf8(done.stdout)?.trim().to_owned() })
    }

    /// Takes everything away that is left.
    pub async fn stop(self) -> Outcome<()> {
        for status in self.docker.list().await? {
            if let Some(sandbox) = self.docker.get(status.id.as_str()).await? {
                sandbox.remove().await?;
            }
        }
        // Each import is another image, also of the same files.
        drop(docker_command(&["rmi", "--force", IMAGE]).output());
        Ok(self.home.close()?)
    }
}

/// A container that the command made.
#[derive(Debug)]
pub struct Theirs {
    /// Its id.
    pub id: String,
}

impl Drop for Theirs {
    fn drop(&mut self) {
        drop(docker_command(&["rm", "--force", &self.id]).output());
    }
}

/// How long it takes until a command has ended well, its output thrown away.
pub fn timed(command: &mut Command) -> Outcome<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let done = command.spawn()?.wait_with_output()?;
    let elapsed = start.elapsed();
    if done.status.success() {
        return Ok(elapsed);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)).into())
}

/// `docker` and these arguments.
pub fn docker_command(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args);
    command
}

/// What `wire_core::spawn::hardening` says, in the words of the command.
const LOCKED: &[&str] = &[
    "--user=65532:65532",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--read-only",
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=67108864,mode=0700,uid=65532,gid=65532",
    "--tmpfs=/run/wire:rw,noexec,nosuid,nodev,size=1048576,mode=0700,uid=65532,gid=65532",
    "--memory=512m",
    "--memory-swap=512m",
    "--cpus=1",
    "--pids-limit=256",
    "--ulimit=nofile=1024:1024",
    "--ulimit=core=0:0",
    "--network=none",
    "--ipc=none",
    "--cgroupns=private",
    "--restart=no",
    "--no-healthcheck",
    "--hostname=wire",
    "--init",
    "--log-driver=json-file",
    "--log-opt=max-size=8m",
    "--log-opt=max-file=2",
];

/// A root file system of a static BusyBox.
fn root(folder: &Path) -> Outcome<Vec<u8>> {
    let busybox = fs::read(busybox(folder)?)?;
    let mut root = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(busybox.len() as u64);
    root.append_data(&mut header, "bin/busybox", busybox.as_slice())?;
    for name in ["cat", "dd", "echo", "false", "sh", "sleep", "true"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        root.append_link(&mut header, format!("bin/{name}"), "busybox")?;
    }
    Ok(root.into_inner()?)
}

fn busybox(folder: &Path) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend([PathBuf::from("/bin"), folder.join("busybox/bin")]);
    let found = folders.into_iter().map(|folder| folder.join("busybox")).find(|file| file.is_file());
    Ok(found.ok_or("no BusyBox: install the package busybox-static")?)
}

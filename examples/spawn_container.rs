//! A container on this machine's Docker Engine, locked down and proved from inside: a program with a limit
//! of time, its output, files in and out. The image is made here, of a static BusyBox; nothing is fetched.
//!
//! ```text
//! cargo run -p examples --example spawn_container
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::AsyncReadExt as _;
use wire_core::spawn::docker::{Docker, DockerConfig};
use wire_core::spawn::{Command, ImageName, Outcome, SpawnSpec};

const IMAGE: &str = "wire-example/busybox:latest";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let docker = Docker::connect(DockerConfig::from_env(home.path())?).await?;
    // Each import is another image, so what is there is not imported again.
    if !docker.images().await?.iter().any(|image| image.tags.iter().any(|tag| tag == IMAGE)) {
        docker.import_image(&ImageName::parse(IMAGE)?, std::io::Cursor::new(root()?)).await?;
    }

    // No network, no capability, nothing of the host, and it ends with this process: all by default.
    let sandbox = docker.spawn(SpawnSpec::new(IMAGE)).await?;
    println!("{}", sandbox.attestation().context("there is none")?);

    sandbox.write("/tmp/names", 0o600, &b"canyon\nvelvet\noyster\n"[..]).await?;
    let sort = "sort /tmp/names > /tmp/sorted && wc -l < /tmp/sorted";
    let output = sandbox.run(Command::new(["/bin/sh", "-c", sort])).await?;
    ensure!(output.outcome == Outcome::Exited(0), "{:?}", output.outcome);
    let mut sorted = String::new();
    sandbox.read("/tmp/sorted", 0, 1 << 20).await?.read_to_string(&mut sorted).await?;
    print!("{} lines, sorted:\n{sorted}", output.stdout.text().trim());
    ensure!(sorted == "canyon\noyster\nvelvet\n");

    // What runs too long is ended with all that it started; what it had said is kept.
    let endless = Command::new(["/bin/sh", "-c", "echo begun; sleep 1000 & wait"]);
    let output = sandbox.run(endless.timeout(Duration::from_secs(1))).await?;
    println!("said {:?}, then {:?}", output.stdout.text(), output.outcome);
    ensure!(output.outcome == Outcome::TimedOut { killed: true });

    println!("stopped: {:?}", sandbox.stop(Duration::from_secs(5)).await?.reason);
    sandbox.remove().await?;
    Ok(())
}

/// A root file system: one program, under its names.
fn root() -> anyhow::Result<Vec<u8>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let busybox =
        std::env::split_paths(&path).map(|folder| folder.join("busybox")).find(|file| file.is_file());
    let busybox = std::fs::read(busybox.context("no BusyBox: install the package busybox-static")?)?;
    let mut root = tar::Builder::new(Vec::new());
    for name in ["sh", "sleep", "sort", "wc"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(busybox.len() as u64);
        root.append_data(&mut header, format!("bin/{name}"), busybox.as_slice())?;
    }
    Ok(root.into_inner()?)
}

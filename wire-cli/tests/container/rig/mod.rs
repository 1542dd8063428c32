//! Containers of a home of its own, on the machine's engine. Images are those of `wire-core`'s tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

#[path = "../../../../wire-core/tests/spawn/support/images.rs"]
pub mod images;
#[path = "../../../../wire-core/tests/spawn/support/shim.rs"]
mod shim;

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wire_core::spawn::OwnerSecret;

use crate::support::{Done, Running, wire};

/// A home, whose containers are removed with it.
pub struct Rig {
    pub home: TempDir,
    pub image: String,
    /// A name for a container that no other test has.
    pub name: String,
}

impl Rig {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("wire-test-").tempdir().unwrap();
        let name = home.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self { home, image: images::busybox(), name }
    }

    /// `wire` with these arguments, in which `IMAGE` is the image, and `NAME` at a beginning the name.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = wire(self.home.path());
        command.args(args.iter().map(|arg| match arg.strip_prefix("NAME") {
            Some(rest) => format!("{}{rest}", self.name),
            None if *arg == "IMAGE" => self.image.clone(),
            None => (*arg).to_owned(),
        }));
        command
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// To its end. That the machine is slow is no part of what it says.
    pub fn run(&self, args: &[&str]) -> Done {
        let mut done = self.start(args).end();
        let lines = done.stderr.split_inclusive('\n');
        done.stderr = lines.filter(|line| !line.starts_with("waiting for the container")).collect();
        done
    }

    /// One document, and the exit code.
    pub fn json(&self, args: &[&str]) -> (Value, i32) {
        let done = self.run(&[&["--json"], args].concat());
        let doc: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
        assert_eq!(doc["v"], 1, "{doc}");
        (doc, done.code)
    }

    /// The bytes that it writes to standard output and error, with these on its standard input.
    pub fn bytes(&self, args: &[&str], input: &[u8]) -> std::process::Output {
        use std::io::Write as _;
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        output
    }

    /// The names of all containers of this home, in every state.
    pub fn containers(&self) -> Vec<String> {
        let Ok(key) = std::fs::read(self.home.path().join("host/owner.key")) else { return Vec::new() };
        let owner = OwnerSecret::from_bytes(key.try_into().unwrap()).owner().to_hex();
        let filter = format!("label=wire.owner={owner}");
        let listed = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        listed.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn has_nothing(&self) {
        assert_eq!(self.containers(), Vec::<String>::new());
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for name in self.containers() {
            let _ = Command::new("docker").args(["rm", "--force", "--volumes", &name]).output();
        }
    }
}

/// What the engine's own command says.
#[track_caller]
pub fn docker(args: &[&str]) -> String {
    let done = Command::new("docker").args(args).output().expect("the docker command");
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

//! Real processes of `wire`: a relay on loopback, and agents with homes of their own.
//!
//! Everything that is awaited is a line that a process prints, or its end. `HANG` is reached only by
//! what will never happen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test uses the part that it needs")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HANG: Duration = Duration::from_secs(60);

/// A relay, and where agents have their homes.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) address: String,
    relay: Option<Running>,
}

/// One agent on one machine.
pub(crate) struct Side {
    pub(crate) home: PathBuf,
    name: String,
    relay: String,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that runs, with its lines as they come.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<()>>,
    said: Arc<Said>,
}

/// What a process has written to standard error so far.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl World {
    /// With a relay that has its defaults.
    pub(crate) fn new() -> Self {
        Self::with_relay("")
    }

    /// With a relay that has this `relay.toml`.
    pub(crate) fn with_relay(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("relay.toml"), toml).unwrap();
        Self::in_folder(folder)
    }

    /// With all that it has in this folder.
    pub(crate) fn in_folder(folder: TempDir) -> Self {
        let mut world = Self { folder, address: "127.0.0.1:0".to_owned(), relay: None };
        world.start_relay();
        world
    }

    /// Starts the relay, at the address that it had.
    pub(crate) fn start_relay(&mut self) {
        let mut command = wire(self.folder.path());
        command.args(["--json", "relay", "serve", "--listen", &self.address]);
        let mut relay = Running::start(command);
        let line = relay.json();
        self.address = line["listening"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        self.relay = Some(relay);
    }

    pub(crate) fn relay_pid(&self) -> u32 {
        self.relay.as_ref().unwrap().pid()
    }

    /// `kill -9`.
    pub(crate) fn kill_relay(&mut self) {
        self.relay.take().unwrap().kill();
    }

    /// Asks the relay to end, and waits for that.
    pub(crate) fn stop_relay(&mut self, signal: &str) -> Done {
        let relay = self.relay.take().unwrap();
        relay.signal(signal);
        relay.end()
    }

    /// An agent with a home of its own.
    pub(crate) fn side(&self, name: &str) -> Side {
        let home = self.folder.path().join(format!("home-of-{name}"));
        Side { home, name: name.to_owned(), relay: format!("http://{}", self.address) }
    }

    /// Two agents that are paired, each under its name.
    pub(crate) fn paired(&self, a: &str, b: &str) -> (Side, Side) {
        let (a, b) = (self.side(a), self.side(b));
        let mut pairing = a.start(&["--json", "pair"]);
        let code = pairing.json()["code"].as_str().unwrap().to_owned();
        b.run_with(&["join", "-"], &code).ok();
        assert_eq!(pairing.json()["state"], "paired");
        pairing.end().ok();
        (a, b)
    }
}

impl Side {
    /// The command of this agent, to be given arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = wire(&self.home);
        command.env("WIRE_AS", &self.name).env("WIRE_RELAY", &self.relay);
        command
    }

    /// Runs a command to its end, with nothing on its standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.start(args).end()
    }

    /// The same with something on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Done {
        let mut running = self.start(args);
        running.type_in(input);
        running.end()
    }

    /// Runs a command that prints one document, and gives it and its exit code.
    pub(crate) fn json(&self, args: &[&str]) -> (Value, i32) {
        let done = self.run(&[&["--json"], args].concat());
        (serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}")), done.code)
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command();
        command.args(args);
        Running::start(command)
    }

    /// Sends, and gives the id of what the relay has.
    pub(crate) fn send(&self, to: &str, text: &str) -> String {
        let (sent, code) = self.json(&["send", to, text]);
        assert_eq!(code, 0, "{sent}");
        sent["id"].as_str().unwrap().to_owned()
    }

    /// The texts that wait.
    pub(crate) fn texts(&self) -> Vec<String> {
        let (inbox, code) = self.json(&["inbox"]);
        assert_eq!(code, 0, "{inbox}");
        let messages = inbox["messages"].as_array().unwrap();
        messages.iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a message that was sent is in a final state, and gives that.
    pub(crate) fn outcome(&self, id: &str) -> String {
        let (status, code) = self.json(&["status", id, "--wait"]);
        assert_eq!(code, 0, "{status}");
        status["state"].as_str().unwrap().to_owned()
    }
}

impl Done {
    /// It must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It must have failed with this exit code; gives what it said.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.stderr
    }
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        let said = Arc::<Said>::default();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let tell = said.clone();
        let stderr = std::thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                tell.text.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                tell.more.notify_all();
                line.clear();
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr: Some(stderr), said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(HANG) {
            Ok(line) => line,
            Err(_) => {
                let _ = self.child.kill();
                panic!("no line came; it said: {}", self.all_said());
            }
        }
    }

    /// The next line, a document.
    #[track_caller]
    pub(crate) fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    /// The next message of a `watch --json`, whatever troubles it tells before.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        loop {
            let doc = self.json();
            if doc.get("trouble").is_none() {
                return doc;
            }
        }
    }

    /// Waits until it has said something on standard error.
    #[track_caller]
    pub(crate) fn says(&self, what: &str) {
        let text = self.said.text.lock().unwrap();
        let waiting = self.said.more.wait_timeout_while(text, HANG, |text| !text.contains(what));
        let (text, timeout) = waiting.unwrap();
        assert!(!timeout.timed_out(), "it never said {what:?}: {text}");
    }

    fn all_said(&mut self) -> String {
        self.stderr.take().unwrap().join().unwrap();
        std::mem::take(&mut self.said.text.lock().unwrap())
    }

    /// Writes to its standard input.
    pub(crate) fn type_in(&mut self, text: &str) {
        // A process that has ended reads nothing; its exit code says why.
        let _ = self.stdin.as_mut().unwrap().write_all(text.as_bytes());
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its standard input and waits for its end.
    pub(crate) fn end(mut self) -> Done {
        drop(self.stdin.take());
        let mut stdout = String::new();
        loop {
            match self.lines.recv_timeout(HANG) {
                Ok(line) => stdout.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; it said: {stdout}"),
            }
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let stderr = self.all_said();
        Done { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `wire` with this home, and nothing of this machine's settings.
pub(crate) fn wire(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wire"));
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        if key.starts_with("WIRE_") || key.to_ascii_lowercase().ends_with("_proxy") || key == "PORT" {
            command.env_remove(key);
        }
    }
    command.env("WIRE_HOME", home);
    command
}

//! The driver of the Python peer: a line of JSON in, a line out.

#![expect(clippy::disallowed_methods, reason = "it starts that process")]
#![expect(clippy::print_stdout, reason = "what is skipped is said, and counted")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// The other implementation, as a process.
pub(crate) struct Python(RefCell<Inner>);

struct Inner {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// None where there is no Python with the packages that it needs; `.ci/run test` makes one.
    pub(crate) fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let made: PathBuf = folder.join("../target/tools/interop/bin/python");
        if !made.exists() {
            println!("SKIPPED: there is no Python with PyNaCl and cryptography; `.ci/run test` makes one");
            return None;
        }
        let mut child = Command::new(made)
            .args(["-m", "wire_peer.driver"])
            .current_dir(folder.join("tests/interop"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (requests, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let python = Self(RefCell::new(Inner { child, requests, answers }));
        assert_eq!(python.ask(json!({ "op": "version" }))["version"], 1);
        Some(python)
    }

    /// What it answers, also if that is an error.
    pub(crate) fn try_ask(&self, request: Value) -> Value {
        let inner = &mut *self.0.borrow_mut();
        let requests = inner.requests.as_mut().unwrap();
        writeln!(requests, "{request}").unwrap();
        requests.flush().unwrap();
        let mut line = String::new();
        inner.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?} to {request}"))
    }

    /// What it answers, which must be no error.
    #[track_caller]
    pub(crate) fn ask(&self, request: Value) -> Value {
        let answer = self.try_ask(request.clone());
        assert!(answer.get("error").is_none(), "{answer} to {request}");
        answer
    }

    /// The word for what it refuses.
    #[track_caller]
    pub(crate) fn refuses(&self, request: Value) -> String {
        let answer = self.try_ask(request.clone());
        answer["code"].as_str().unwrap_or_else(|| panic!("{answer} to {request}")).to_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let inner = self.0.get_mut();
        drop(inner.requests.take());
        let _ = inner.child.wait();
    }
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// Bytes of an answer.
#[track_caller]
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap_or_else(|| panic!("no bytes: {value}")).as_bytes()).unwrap()
}

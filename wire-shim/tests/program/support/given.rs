//! What tests start from, and what they look at.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wire_shim::protocol::{Cause, End, ExecId, ExecSpec, How, Life, NotStarted, Overflow, Setup, Token};

use super::{SHIM, TOKEN};

pub fn setup() -> Setup {
    Setup {
        token: Token::from_bytes(TOKEN),
        // So that it ends with a test that is killed.
        life: Life { deadline_ms: None, lease_ms: Some(600_000) },
        grace_ms: 200,
        files: Vec::new(),
        main: None,
        ends_with_main: false,
        nonce: None,
    }
}

pub fn id(number: u8) -> ExecId {
    ExecId::from([number; 16])
}

/// A program with this number.
pub fn spec<S: AsRef<str>>(number: u8, argv: impl IntoIterator<Item = S>) -> ExecSpec {
    ExecSpec {
        id: id(number),
        argv: argv.into_iter().map(|arg| arg.as_ref().into()).collect(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        cwd: "/".into(),
        tty: None,
        stdin: false,
        timeout_ms: None,
        grace_ms: 200,
        ring: 1 << 20,
        overflow: Overflow::Block,
        tag: String::new(),
        tied: false,
    }
}

/// A shell script with this number.
pub fn shell(number: u8, script: &str) -> ExecSpec {
    spec(number, ["sh", "-c", script])
}

pub fn never_started(end: &End) -> NotStarted {
    match &end.how {
        How::NotStarted { why, .. } => *why,
        how => panic!("it started: {how:?}"),
    }
}

/// The whole tree is gone and nobody ended it.
pub fn exited(code: i32, end: &End) {
    assert_eq!((&end.how, end.cause, end.tree_gone), (&How::Exited(code), Cause::Itself, true));
}

/// Whether a process runs: it is there and does not only wait to be reaped.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The processes below `pid`, those that wait to be reaped included.
pub fn below(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
            if parent == Some(found[at]) {
                found.push(entry.file_name().to_str().unwrap().parse().unwrap());
            }
        }
        at += 1;
    }
    found.split_off(1)
}

/// Waits until a file is there with something in it, and gives that.
pub fn file_appears(path: &Path) -> String {
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => std::thread::yield_now(),
        }
    }
}

/// The most memory that a process has had, in MiB.
pub fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// The shim's program as a user without rights, if this can be had here, and the folder that it is in.
pub fn nobody() -> Option<(Command, TempDir)> {
    without_rights("65534")
}

/// The same, of a number that nobody else has.
pub fn without_rights(user: &str) -> Option<(Command, TempDir)> {
    let user = ["--reuid", user, "--regid", "65534", "--clear-groups", "--no-new-privs"];
    let usable = Command::new("setpriv").args(user).arg("true").output();
    if !usable.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: no other user can be had here (root and setpriv(1) are needed)");
        return None;
    }
    // Where it was built others may not look.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(SHIM, folder.path().join("shim")).unwrap();
    let mut command = Command::new("setpriv");
    command.args(user).arg(folder.path().join("shim"));
    Some((command, folder))
}

/// Runs one of the shim's small programs with this input.
pub fn tool(args: &[&str], input: &[u8]) -> (Vec<u8>, u8) {
    run_tool(Command::new(SHIM), args, input)
}

/// The same, with what it says on standard error.
pub fn told(args: &[&str], input: &[u8]) -> (Vec<u8>, String, u8) {
    ended(Command::new(SHIM), args, input)
}

/// The same, as this command starts it.
pub fn run_tool(command: Command, args: &[&str], input: &[u8]) -> (Vec<u8>, u8) {
    let (said, _, status) = ended(command, args, input);
    (said, status)
}

fn ended(mut command: Command, args: &[&str], input: &[u8]) -> (Vec<u8>, String, u8) {
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let status = output.status.code().unwrap().try_into().unwrap();
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned(), status)
}

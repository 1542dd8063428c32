//! The command `wire`, as people and scripts use it: every process is a real one, started anew.
//!
//! 1. `wire send` until a running `wire watch` of the peer has printed the message, next to the time of
//!    one sync of the same disk; and until `wire send` has ended.
//! 2. `wire demo` from start to end.
//!
//! The processes are this program: it carries the command as a library, built with the same profile.
//!
//! `cargo bench -p benches --bench command`, or with `-- --quick` to see that it works.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use benches::rig::{Disk, Outcome};
use benches::{Effort, percentile};

/// Says to this program that it is `wire`.
const AS_WIRE: &str = "BENCHES_AS_WIRE";
const SEND_TARGET_MS: f64 = 12.0;
const DEMO_TARGET_MS: f64 = 500.0;

fn main() -> Outcome<ExitCode> {
    if std::env::var_os(AS_WIRE).is_some() {
        return Ok(wire_cli::run(std::env::args_os()));
    }
    let effort = Effort::from_args();
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    send(effort, disk)?;
    demo(effort, disk)?;
    Ok(ExitCode::SUCCESS)
}

fn send(effort: Effort, disk: &Path) -> Outcome<()> {
    let messages = effort.pick(3, 60);
    let home = tempfile::tempdir_in(disk)?;
    let mut relay =
        Running::start(wire(home.path(), &["--json", "relay", "serve", "--listen", "127.0.0.1:0"]))?;
    let url = format!("http://{}", field(&relay.line()?, "listening")?);
    let as_agent = |name: &str, args: &[&str]| {
        let mut command = wire(home.path(), &["--json", "--as", name]);
        command.args(args).env("WIRE_RELAY", &url);
        command
    };
    let mut pairing = Running::start(as_agent("alice", &["pair"]))?;
    let code = field(&pairing.line()?, "code")?;
    let mut joining = Running::start(as_agent("bob", &["join", &code]))?;
    joining.ended()?;
    pairing.ended()?;

    let mut watching = Running::start(as_agent("bob", &["watch"]))?;
    let mut syncs = Disk::new(disk)?;
    let (mut seen, mut ended, mut sync) = (Vec::new(), Vec::new(), Vec::new());
    // The first lets `watch` come up.
    for n in 0..=messages {
        sync.push(syncs.sync_time(5)?);
        let text = format!("message {n}");
        let start = Instant::now();
        let mut sending = Running::start(as_agent("alice", &["send", "bob", &text]))?;
        let line = watching.line()?;
        let elapsed = start.elapsed();
        sending.ended()?;
        if field(&line, "text")? != text {
            return Err(format!("expected {text:?}, watch shows {line}").into());
        }
        if n > 0 {
            seen.push(elapsed);
            ended.push(start.elapsed());
        }
    }
    drop((watching, relay));
    home.close()?;

    let sync = ms(percentile(&mut sync, 50));
    let (p50, p90) = (ms(percentile(&mut seen, 50)), ms(percentile(&mut seen, 90)));
    let verdict = if p50 <= SEND_TARGET_MS { "met" } else { "missed" };
    println!(
        "wire send to wire watch, {messages} messages: p50 {p50:.1} ms, p90 {p90:.1} ms   (target <= {SEND_TARGET_MS}: {verdict})"
    );
    println!(
        "  3 syncs of this disk in the same run: {:.1} ms; wire send ended: p50 {:.1} ms",
        3.0 * sync,
        ms(percentile(&mut ended, 50))
    );
    Ok(())
}

fn demo(effort: Effort, disk: &Path) -> Outcome<()> {
    let runs = effort.pick(1, 9);
    let home = tempfile::tempdir_in(disk)?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let mut command = wire(home.path(), &["--json", "demo"]);
        // What it makes lies on the same disk as everything else that is measured here.
        command.env("TMPDIR", home.path());
        Running::start(command)?.ended()?;
        times.push(start.elapsed());
    }
    home.close()?;
    let p50 = ms(percentile(&mut times, 50));
    let verdict = if p50 <= DEMO_TARGET_MS { "met" } else { "missed" };
    println!("wire demo: p50 of {runs} runs {p50:.0} ms   (target <= {DEMO_TARGET_MS:.0}: {verdict})");
    Ok(())
}

/// The command `wire` with these arguments, and its state under `home`.
fn wire(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_default());
    command.args(args).env(AS_WIRE, "1").env("WIRE_HOME", home);
    for inherited in ["WIRE_RELAY", "HTTPS_PROXY", "https_proxy"] {
        command.env_remove(inherited);
    }
    command
}

/// A process whose lines are read; ended with this value if it still runs.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line)? {
            0 => Err("a process ended without a word".into()),
            _ => Ok(line),
        }
    }

    fn ended(&mut self) -> Outcome<()> {
        let mut last = String::new();
        while self.lines.read_line(&mut last)? > 0 {}
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{status}: {last}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn field(line: &str, name: &str) -> Outcome<String> {
    let document: serde_json::Value = serde_json::from_str(line)?;
    let value = document.get(name).and_then(|value| value.as_str());
    Ok(value.ok_or_else(|| format!("no {name} in {line}"))?.to_owned())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

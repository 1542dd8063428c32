//! Containers, next to the command `docker` on the same engine, with the same image, limits and locks.
//!
//! | Section | What | Next to |
//! |---|---|---|
//! | `spawn` | a container made, started, proved from inside | `docker run -d` |
//! | `once` | the command `wire run`, as a process of its own | `docker run --rm` |
//! | `exec` | a program in a running container, through the engine and through the shim | `docker exec` |
//! | `output` | 200 MB of standard output, both ways | `docker exec`, thrown away |
//! | `shim` | a container with the shim, its lease and its attestation | one without |
//! | `parallel` | 8 containers made at once | 8 times one |
//! | `idle` | what 100 attached containers cost this process; what 2,000 calls leave behind | |
//!
//! The two of a line run in turn. Each line shows the ratio of the medians, and min / median / max of both.
//! Without an engine, the command `docker` or a static BusyBox nothing is measured, and that is said.
//!
//! `cargo bench -p benches --bench spawn`, with `-- exec` for one section, or with `-- --quick` to see
//! that it works.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::path::Path;
use std::process::{Command as Process, ExitCode, Stdio};
use std::time::{Duration, Instant};

use benches::rig::Outcome;
use benches::rig::containers::{Engine, IMAGE, docker_command, timed};
use benches::{Effort, Spread, this_process};
use wire_core::spawn::docker::Sandbox;
use wire_core::spawn::{Command, ExecEvent, SpawnSpec};

/// Says to this program that it is `wire`.
const AS_WIRE: &str = "BENCHES_AS_WIRE";
const SLEEP: &[&str] = &["/bin/sleep", "1000"];
const MEGABYTE: f64 = 1e6;

fn main() -> Outcome<ExitCode> {
    if std::env::var_os(AS_WIRE).is_some() {
        return Ok(wire_cli::run(std::env::args_os()));
    }
    // One thread: what is measured is one thing at a time, as the command `docker` does it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(Effort::from_args()))
}

async fn measure(effort: Effort) -> Outcome<ExitCode> {
    let engine = match Engine::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).await {
        Ok(engine) => engine,
        Err(why) => {
            println!("spawn: NOT MEASURED, {why}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let measured = sections(&engine, effort).await;
    engine.stop().await?;
    measured.map(|()| ExitCode::SUCCESS)
}

async fn sections(engine: &Engine, effort: Effort) -> Outcome<()> {
    if Effort::wants("spawn") {
        spawn(engine, effort).await?;
    }
    if Effort::wants("once") {
        once(engine, effort)?;
    }
    if Effort::wants("exec") {
        exec(engine, effort).await?;
    }
    if Effort::wants("output") {
        output(engine, effort).await?;
    }
    if Effort::wants("shim") {
        shim(engine, effort).await?;
    }
    if Effort::wants("parallel") {
        parallel(engine, effort).await?;
    }
    if Effort::wants("idle") {
        idle(engine, effort).await?;
    }
    Ok(())
}

async fn spawn(engine: &Engine, effort: Effort) -> Outcome<()> {
    let mut pair = Pair::default();
    for run in 0..=effort.pick(1, 24) {
        let theirs = {
            let start = Instant::now();
            let container = engine.theirs(SLEEP)?;
            let elapsed = start.elapsed();
            drop(container);
            elapsed
        };
        let ours = made(engine, engine.spec(SLEEP)).await?;
        pair.push(run, ours, theirs);
    }
    pair.report("spawn, proved", "docker run -d", Some(0.80));
    Ok(())
}

/// The command prints a line, because output is what it is run for.
fn once(engine: &Engine, effort: Effort) -> Outcome<()> {
    let mut pair = Pair::default();
    let home = tempfile::tempdir_in(engine.home())?;
    let argv = ["/bin/echo", "done"];
    let wire = || {
        let mut command = Process::new(std::env::current_exe().unwrap_or_default());
        command.args(["run", IMAGE, "--"]).args(argv).env(AS_WIRE, "1").env("WIRE_HOME", home.path());
        command
    };
    let said = wire().stdin(Stdio::null()).output()?;
    if said.stdout != b"done\n" {
        return Err(format!("wire run: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    for run in 0..=effort.pick(1, 24) {
        let ours = timed(&mut wire())?;
        pair.push(run, ours, timed(&mut engine.run(&["--rm"], &argv))?);
    }
    pair.report("wire run", "docker run --rm", Some(0.85));
    Ok(())
}

async fn exec(engine: &Engine, effort: Effort) -> Outcome<()> {
    let bare = engine.spawn(engine.bare(SLEEP)).await?;
    let with_shim = engine.spawn(engine.spec(SLEEP)).await?;
    let theirs = engine.theirs(SLEEP)?;
    let (mut engine_pair, mut shim_pair) = (Pair::default(), Pair::default());
    for run in 0..=effort.pick(2, 40) {
        let yardstick = timed(&mut docker_command(&["exec", &theirs.id, "/bin/true"]))?;
        engine_pair.push(run, ran(&bare).await?, yardstick);
        shim_pair.push(run, ran(&with_shim).await?, yardstick);
    }
    engine_pair.report("exec through the engine", "docker exec", Some(0.90));
    shim_pair.report("exec through the shim", "docker exec", Some(0.15));
    bare.remove().await?;
    with_shim.remove().await?;
    Ok(())
}

async fn ran(sandbox: &Sandbox) -> Outcome<Duration> {
    let start = Instant::now();
    let output = sandbox.run(Command::new(["/bin/true"])).await?;
    let elapsed = start.elapsed();
    if output.outcome.is_success() { Ok(elapsed) } else { Err(format!("{:?}", output.outcome).into()) }
}

async fn output(engine: &Engine, effort: Effort) -> Outcome<()> {
    let megabytes = effort.pick(20, 200);
    let argv = ["/bin/dd", "if=/dev/zero", "bs=1000000", &format!("count={megabytes}")].map(str::to_owned);
    let bare = engine.spawn(engine.bare(SLEEP)).await?;
    let with_shim = engine.spawn(engine.spec(SLEEP)).await?;
    let theirs = engine.theirs(SLEEP)?;
    let (mut engine_pair, mut shim_pair) = (Pair::default(), Pair::default());
    let (mut engine_growth, mut shim_growth) = (0, 0);
    for run in 0..=effort.pick(1, 20) {
        let mut exec = docker_command(&["exec", &theirs.id]);
        let yardstick = timed(exec.args(&argv))?;
        let (time, growth) = streamed(&bare, &argv, megabytes).await?;
        engine_pair.push(run, time, yardstick);
        engine_growth = growth.max(engine_growth);
        let (time, growth) = streamed(&with_shim, &argv, megabytes).await?;
        shim_pair.push(run, time, yardstick);
        shim_growth = growth.max(shim_growth);
    }
    for (name, pair, growth) in [("engine", engine_pair, engine_growth), ("shim", shim_pair, shim_growth)] {
        let speed = |time: f64| f64::from(megabytes) / time;
        let (ours, theirs) = (speed(pair.ours.median()), speed(pair.theirs.median()));
        let grown = f64::from(u32::try_from(growth).unwrap_or(u32::MAX)) / 1024.0;
        println!(
            "output of {megabytes} MB through the {name}: {ours:.0} MB/s, docker exec {theirs:.0} MB/s, throughput {:.2}   (wanted >= 1.00: {})",
            ours / theirs,
            verdict(ours >= theirs),
        );
        println!(
            "  this process grew by {grown:.1} MiB at most   (wanted <= 16: {})",
            verdict(grown <= 16.0)
        );
    }
    bare.remove().await?;
    with_shim.remove().await?;
    Ok(())
}

/// Reads the whole output of a program and keeps nothing: how long it takes, and how many KiB this process
/// grows meanwhile at most.
async fn streamed(sandbox: &Sandbox, argv: &[String], megabytes: u32) -> Outcome<(Duration, u64)> {
    this_process::forget_peak()?;
    let before = this_process::memory()?;
    let start = Instant::now();
    let mut exec = sandbox.exec(Command::new(argv.iter().cloned())).await?;
    let mut read = 0;
    let ended = loop {
        match exec.next().await {
            Some(ExecEvent::Out { stream: wire_core::spawn::Stream::Stdout, bytes, .. }) => {
                read += bytes.len()
            }
            Some(ExecEvent::Ended { outcome, .. }) => break outcome,
            Some(_) => {}
            None => return Err("a stream ended without its end".into()),
        }
    };
    let elapsed = start.elapsed();
    let whole = f64::from(megabytes) * MEGABYTE;
    if !ended.is_success() || (read as f64 - whole).abs() > 0.5 {
        return Err(format!("{ended:?} after {read} bytes").into());
    }
    Ok((elapsed, this_process::peak()?.saturating_sub(before)))
}

async fn shim(engine: &Engine, effort: Effort) -> Outcome<()> {
    let mut pair = Pair::default();
    for run in 0..=effort.pick(1, 24) {
        let without = made(engine, engine.bare(SLEEP)).await?;
        pair.push(run, made(engine, engine.spec(SLEEP)).await?, without);
    }
    pair.report("spawn with shim, lease, attestation", "spawn without", Some(1.25));
    Ok(())
}

async fn parallel(engine: &Engine, effort: Effort) -> Outcome<()> {
    const MANY: u32 = 8;
    let mut pair = Pair::default();
    for run in 0..=effort.pick(1, 20) {
        let one = made(engine, engine.spec(SLEEP)).await?;
        let start = Instant::now();
        let making: Vec<_> = (0..MANY)
            .map(|_| {
                let (docker, spec) = (engine.docker.clone(), engine.spec(SLEEP));
                tokio::spawn(async move { docker.spawn(spec).await })
            })
            .collect();
        let mut made = Vec::new();
        for one in making {
            made.push(one.await??);
        }
        let many = start.elapsed();
        for sandbox in made {
            sandbox.remove().await?;
        }
        pair.push(run, many, one * MANY);
    }
    pair.report("8 spawns at once", "8 x one spawn", Some(0.75));
    Ok(())
}

async fn idle(engine: &Engine, effort: Effort) -> Outcome<()> {
    let (containers, calls) = effort.pick((10, 50), (100, 2000));
    // The first connection and the first container load what every later one shares.
    let first = engine.spawn(engine.spec(SLEEP)).await?;
    ran(&first).await?;
    let (memory, fds) = (this_process::memory()?, this_process::fds()?);
    let mut held = Vec::new();
    for _ in 0..containers {
        held.push(engine.spawn(engine.spec(SLEEP)).await?);
    }
    let per = |grown: u64| grown as f64 / f64::from(containers);
    let memory = per(this_process::memory()?.saturating_sub(memory)) / 1024.0;
    let fds = per(this_process::fds()?.saturating_sub(fds) as u64);
    println!(
        "{containers} attached containers: {memory:.3} MiB and {fds:.2} open files each   (wanted <= 1 MiB: {})",
        verdict(memory <= 1.0)
    );
    let inside = first.stats().await?;
    println!(
        "  inside of one: {:.2} MiB of memory, {} processes",
        inside.memory as f64 / 1048576.0,
        inside.pids
    );
    for sandbox in held {
        sandbox.remove().await?;
    }

    for _ in 0..calls / 10 {
        ran(&first).await?;
    }
    let (memory, fds) = (this_process::memory()?, this_process::fds()?);
    for _ in 0..calls {
        ran(&first).await?;
    }
    let grown = this_process::memory()? as f64 - memory as f64;
    let fds = this_process::fds()? as f64 - fds as f64;
    println!(
        "{calls} programs one after another: memory {grown:+.0} KiB, open files {fds:+}   (wanted 0, within 256 KiB: {})",
        verdict(grown <= 256.0 && fds <= 0.0)
    );
    first.remove().await?;
    Ok(())
}

/// How long it takes to make a container of this; its removal is not counted.
async fn made(engine: &Engine, spec: SpawnSpec) -> Outcome<Duration> {
    let start = Instant::now();
    let sandbox = engine.spawn(spec).await?;
    let elapsed = start.elapsed();
    sandbox.remove().await?;
    Ok(elapsed)
}

/// Two things that were measured in turn, in seconds.
#[derive(Default)]
struct Pair {
    ours: Spread,
    theirs: Spread,
}

impl Pair {
    /// One of each. The first is only to warm up.
    fn push(&mut self, run: u32, ours: Duration, theirs: Duration) {
        if run > 0 {
            self.ours.push(ours.as_secs_f64());
            self.theirs.push(theirs.as_secs_f64());
        }
    }

    fn report(&self, ours: &str, theirs: &str, wanted: Option<f64>) {
        let ratio = self.ours.median() / self.theirs.median();
        let verdict = wanted.map(|most| format!("   (wanted <= {most:.2}: {})", verdict(ratio <= most)));
        println!("{ours} / {theirs}: {ratio:.3}{}", verdict.unwrap_or_default());
        let (ours, theirs) = (self.ours.scaled(1e3), self.theirs.scaled(1e3));
        println!("  min / median / max of {}: {ours} ms, next to {theirs} ms", self.ours.len());
    }
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

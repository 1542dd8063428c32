//! The process that makes a container is killed at each step of its talk with the engine, and another one asks
//! for the same container: its command runs exactly once, and nothing else is left.
//!
//! `.ci/run long` takes every step, instead of some.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::caller::{Caller, Killer, say};
use crate::support::ground::long;
use crate::support::step_proxy::StepProxy;
use crate::support::{home, images};
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Endpoint, EngineConfig};
use wire_core::spawn::sweep::Reason;
use wire_core::spawn::{Lifetime, Mount, SpawnSpec};

const ENGINE: &str = "WIRE_TEST_ENGINE";
const HOME: &str = "WIRE_TEST_HOME";

/// The shim's word for never having been told what to run.
const NOTHING_RAN: i32 = 125;

/// Appends a line to a file of the host.
fn spec(home: &Path) -> SpawnSpec {
    SpawnSpec::new(images::busybox())
        .key("one-job")
        .cmd(["sh", "-c", "echo ran >>/job/count"])
        .mount(Mount::bind(home.join("work").to_str().unwrap(), "/job"))
        .lifetime(Lifetime::Detached { max: Duration::from_secs(600) })
}

/// The process that is killed.
#[tokio::test]
#[ignore = "a process of the other tests"]
async fn the_maker() {
    let (Some(home), Some(engine)) = (std::env::var_os(HOME), std::env::var_os(ENGINE)) else { return };
    let home = PathBuf::from(home);
    let engine = EngineConfig::new(Endpoint::Unix(PathBuf::from(engine)));
    let docker = home::on(engine, &home).await;
    let sandbox = docker.spawn(spec(&home)).await.unwrap();
    say("MADE");
    sandbox.wait().await.unwrap();
}

struct Run {
    home: tempfile::TempDir,
    proxy: StepProxy,
    caller: Caller,
}

impl Run {
    /// With a kill at that piece, which is passed on or not.
    fn start(engine: &Path, kill: Option<(usize, bool)>) -> Self {
        Self::killed_when(engine, move |piece, _| kill.filter(|(at, _)| piece == *at).map(|(_, pass)| pass))
    }

    /// Killed at the first piece of which it is said whether it is still passed on.
    fn killed_when(
        engine: &Path,
        when: impl Fn(usize, &[u8]) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work");
        std::fs::create_dir(&work).unwrap();
        std::fs::set_permissions(&work, std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let killer: Arc<Mutex<Option<Killer>>> = Arc::default();
        let armed = Arc::clone(&killer);
        let proxy = StepProxy::start(engine, move |piece, bytes| match when(piece, bytes) {
            Some(pass) => {
                armed.lock().unwrap().as_ref().unwrap().kill();
                pass
            }
            None => true,
        });
        let (at, folder) = (proxy.path(), home.path().to_str().unwrap().to_owned());
        let mut held = killer.lock().unwrap();
        let caller = Caller::start(
            "caller_killed_while_making::the_maker",
            &[(ENGINE, at.to_str().unwrap()), (HOME, &folder)],
        );
        *held = Some(caller.killer());
        drop(held);
        Self { home, proxy, caller }
    }

    fn runs(&self) -> usize {
        let lines = std::fs::read_to_string(self.home.path().join("work/count")).unwrap_or_default();
        lines.lines().count()
    }

    /// Another process asks for the same, and everything goes away after that.
    async fn again(self, engine: EngineConfig) -> (usize, Option<i32>) {
        let docker = home::on(engine.clone(), self.home.path()).await;
        let sandbox = docker.spawn(spec(self.home.path())).await.unwrap();
        let exit = sandbox.wait().await.unwrap();
        let ran = self.runs();
        sandbox.remove().await.unwrap();
        docker.sweep(false).await.unwrap();
        let client = Client::connect(engine).await.unwrap();
        let left = client.list(&[("wire.owner", &docker.owner().to_hex())]).await.unwrap();
        assert_eq!(left, [], "after the sweep");
        (ran, exit.code)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_command_runs_exactly_once() {
    let engine = EngineConfig::from_env().unwrap();
    let Endpoint::Unix(socket) = &engine.endpoint else {
        return println!("SKIPPED: the engine is not at a socket of this machine");
    };
    images::busybox();
    let mut whole = Run::start(socket, None);
    whole.caller.says("MADE").await.unwrap();
    let pieces = whole.proxy.count();
    assert_eq!(whole.again(engine.clone()).await, (1, Some(0)));
    println!("{pieces} pieces");
    // The last ones are those from the container's creation on.
    let steps: Vec<usize> = if long() {
        (0..pieces).collect()
    } else {
        (0..pieces).rev().step_by(6).take(7).chain([pieces / 4]).collect()
    };
    for at in steps {
        tokio::join!(killed(&engine, socket, at, true), killed(&engine, socket, at, false));
    }
}

async fn killed(engine: &EngineConfig, socket: &Path, at: usize, pass: bool) {
    let mut run = Run::start(socket, Some((at, pass)));
    let made = run.caller.says("MADE").await.is_some();
    let (ran, code) = run.again(engine.clone()).await;
    println!("killed at {at}, passed on {pass}, made {made}: {ran} runs, {code:?}");
    // Its last word before the command begins is a note that the command may run. Who is killed between
    // that and the command itself leaves what never runs: rather that than twice.
    let lost = !pass && (ran, code) == (0, Some(NOTHING_RAN));
    assert!(lost || (ran, code) == (1, Some(0)), "killed at {at}, {pass}: {ran} runs, {code:?}");
}

/// The moments by name: before it is renamed, before it is started, and before it is told its command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_got_its_command_is_swept_or_made_anew() {
    let engine = EngineConfig::from_env().unwrap();
    let Endpoint::Unix(socket) = &engine.endpoint else {
        return println!("SKIPPED: the engine is not at a socket of this machine");
    };
    images::busybox();
    for (moment, pass) in [("/rename", false), ("/start", false), ("/start", true)] {
        for sweep in [true, false] {
            let mut run = Run::killed_when(socket, move |_, piece| asks(piece, moment).then_some(pass));
            assert_eq!(run.caller.says("MADE").await, None);
            if sweep {
                swept(&engine, &run, moment).await;
            }
            assert_eq!(run.again(engine.clone()).await, (1, Some(0)), "{moment}, swept before: {sweep}");
        }
    }
}

/// A sweep by itself leaves nothing of it, long before its time is over.
async fn swept(engine: &EngineConfig, run: &Run, moment: &str) {
    let docker = home::on(engine.clone(), run.home.path()).await;
    let client = Client::connect(engine.clone()).await.unwrap();
    let owner = docker.owner().to_hex();
    // The engine may still be at work on the last request.
    let reasons = loop {
        let swept = docker.sweep(false).await.unwrap();
        if !swept.is_empty() {
            break swept.into_iter().map(|swept| swept.reason).collect::<Vec<_>>();
        }
    };
    assert_eq!(reasons, [Reason::NeverStarted], "{moment}");
    assert_eq!(client.list(&[("wire.owner", &owner)]).await.unwrap(), [], "{moment}");
    assert_eq!(run.runs(), 0, "{moment}");
}

/// One process takes over what a killed one has made, and a third one sweeps at the worst moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_over_is_not_swept() {
    let engine = EngineConfig::from_env().unwrap();
    let Endpoint::Unix(socket) = &engine.endpoint else {
        return println!("SKIPPED: the engine is not at a socket of this machine");
    };
    images::busybox();
    let mut run = Run::killed_when(socket, |_, piece| starts(piece).then_some(false));
    assert_eq!(run.caller.says("MADE").await, None);
    let (home, direct) = (run.home.path().to_owned(), engine.clone());
    let proxy = StepProxy::start(socket, move |_, piece| {
        if starts(piece) {
            let (home, direct) = (home.clone(), direct.clone());
            let sweep = async move { home::on(direct, &home).await.sweep(false).await.unwrap() };
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let swept = std::thread::spawn(move || runtime().block_on(sweep)).join().unwrap();
            assert_eq!(swept, []);
        }
        true
    });
    let docker = home::on(EngineConfig::new(Endpoint::Unix(proxy.path())), run.home.path()).await;
    let sandbox = docker.spawn(spec(run.home.path())).await.unwrap();
    sandbox.wait().await.unwrap();
    assert_eq!(run.runs(), 1);
    drop((sandbox, docker));
    assert_eq!(run.again(engine.clone()).await, (1, Some(0)));
}

fn starts(piece: &[u8]) -> bool {
    asks(piece, "/start")
}

/// A request to do this with a container.
fn asks(piece: &[u8], what: &str) -> bool {
    let head = piece.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    head.starts_with("POST ") && head.contains("/containers/") && head.contains(what)
}

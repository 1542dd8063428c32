//! The process that made containers is killed: what was tied to it ends, also when the engine is killed with
//! it or was started anew before; what has a time ends at that; what is detached goes on, and the next process
//! takes it over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::caller::{Caller, say};
use crate::support::private_dockerd::{PrivateDockerd, gone, until};
use crate::support::{home, images};
use rustix::process::Signal as Os;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::{Action, Docker, Endpoint, EngineConfig, Events, Told};
use wire_core::spawn::{Command, Exit, Lifetime, Outcome, SpawnSpec};

const ENGINE: &str = "WIRE_TEST_ENGINE";
const HOME: &str = "WIRE_TEST_HOME";
const IMAGE: &str = "WIRE_TEST_IMAGE";

/// The key of what is tied.
const JOB: &str = "one-job";

/// How the shim says why it ended everything.
const DEADLINE: i32 = 124;
const LEASE: i32 = 129;

/// The process that is killed. It makes three containers and uses the first one until its end.
#[tokio::test]
#[ignore = "a process of the other tests"]
async fn the_caller() {
    let Ok(home) = std::env::var(HOME) else { return };
    let docker = home::on(engine(std::env::var(ENGINE).ok()), Path::new(&home)).await;
    let spec = || SpawnSpec::new(std::env::var(IMAGE).unwrap());
    let tied = docker.spawn(spec().name("tied").key(JOB)).await.unwrap();
    let life = Lifetime::Detached { max: Duration::from_secs(600) };
    let loud = spec().cmd(["sh", "-c", "echo hello; exec sleep 1000"]);
    let _detached = docker.spawn(loud.name("detached").lifetime(life)).await.unwrap();
    let life = Lifetime::For(Duration::from_secs(4));
    let _timed = docker.spawn(spec().name("timed").lifetime(life)).await.unwrap();
    let _program = tied.exec(Command::new(["sleep", "1000"])).await.unwrap();
    say("MADE");
    for run in 1.. {
        let outcome = tied.run(Command::new(["sh", "-c", "echo >>/tmp/runs"])).await.unwrap().outcome;
        assert_eq!(outcome, Outcome::Exited(0));
        say(&format!("RAN {run}"));
    }
}

fn engine(socket: Option<String>) -> EngineConfig {
    match socket.filter(|path| !path.is_empty()) {
        Some(path) => EngineConfig::new(Endpoint::Unix(PathBuf::from(path))),
        None => EngineConfig::from_env().unwrap(),
    }
}

async fn caller(engine: &Path, home: &Path, image: &str) -> Caller {
    let env = [(ENGINE, engine.to_str().unwrap()), (HOME, home.to_str().unwrap()), (IMAGE, image)];
    let mut caller = Caller::start("caller_killed::the_caller", &env);
    caller.says("MADE").await.expect("three containers");
    caller
}

/// The end of the container of that name.
async fn end(docker: &Docker, name: &str) -> Exit {
    let sandbox = docker.get(name).await.unwrap().unwrap();
    let end = tokio::time::timeout(Duration::from_secs(90), sandbox.wait()).await;
    end.expect("it ends by itself").unwrap()
}

async fn died(events: &mut Events, docker: &Docker, name: &str) {
    let id = docker.get(name).await.unwrap().unwrap().id().clone();
    let told = async {
        while !matches!(events.next().await, Told::Event(e) if e.id == id && e.action == Action::Die) {}
    };
    tokio::time::timeout(Duration::from_secs(90), told).await.expect("it ends by itself");
}

/// The next process of the installation: sweeps what is over, and takes over what goes on.
async fn take_over(docker: &Docker, left: &[&str]) {
    let mut swept: Vec<_> =
        docker.sweep(false).await.unwrap().into_iter().map(|s| (s.name, s.removed)).collect();
    swept.sort();
    assert_eq!(swept, left.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>());
    let found = docker.get("detached").await.unwrap().unwrap();
    let mut main = found.main([0, 0]).await.unwrap();
    let Some(wire_core::spawn::ExecEvent::Out { bytes, .. }) = main.next().await else {
        panic!("output from its beginning")
    };
    assert_eq!(bytes, b"hello\n");
    assert_eq!(found.run(Command::new(["true"])).await.unwrap().outcome, Outcome::Exited(0));
    drop(main);
    found.remove().await.unwrap();
    assert_eq!(docker.list().await.unwrap().len(), 0);
}

#[tokio::test]
async fn on_an_engine_that_goes_on() {
    let image = images::busybox();
    let (docker, home) = home::docker().await;
    let client = Client::connect(EngineConfig::from_env().unwrap()).await.unwrap();
    let mut events = client.events(&[("wire.owner", &docker.owner().to_hex())]).await.unwrap();
    let caller = caller(Path::new(""), home.path(), &image).await;
    caller.kill();
    died(&mut events, &docker, "tied").await;
    assert_eq!(end(&docker, "tied").await.code, Some(LEASE));
    assert_eq!(end(&docker, "timed").await.code, Some(DEADLINE));
    // What was that process's alone and has ended has the key no more, under whatever name.
    let anew = docker.spawn(SpawnSpec::new(&image).name("anew").key(JOB)).await.unwrap();
    assert!(anew.is_new());
    anew.remove().await.unwrap();
    let same = docker.spawn(SpawnSpec::new(&image).name("tied").key(JOB)).await.unwrap();
    assert!(same.is_new(), "nobody can tell any more what the other one has said");
    same.remove().await.unwrap();
    take_over(&docker, &["timed"]).await;
}

/// Its first process keeps an input that nobody will ever close.
#[tokio::test]
async fn after_the_engine_was_started_anew() {
    let Some(mut engine) = PrivateDockerd::start(true).await else { return };
    let home = tempfile::tempdir().unwrap();
    let image = home::busybox_on(&engine.client().await).await;
    let mut caller = caller(&engine.path(), home.path(), &image).await;
    engine.end(Os::KILL).await;
    engine.run().await;
    let docker = home::on(engine.config(), home.path()).await;
    let client = engine.client().await;
    let mut events = client.events(&[("wire.owner", &docker.owner().to_hex())]).await.unwrap();
    // A byte for each run, of which the last may not have been told yet: those after it begin now.
    let before = docker.get("tied").await.unwrap().unwrap().stat("/tmp/runs").await.unwrap().size;
    while caller.says("RAN").await.expect("it goes on").parse::<u64>().unwrap() <= before + 1 {}
    caller.kill();
    died(&mut events, &docker, "tied").await;
    assert_eq!(end(&docker, "tied").await.code, Some(LEASE));
    assert_eq!(end(&docker, "timed").await.code, Some(DEADLINE));
    take_over(&docker, &["tied", "timed"]).await;
}

/// Nobody is left who could end anything: they end themselves.
#[tokio::test]
async fn together_with_the_engine() {
    let Some(mut engine) = PrivateDockerd::start(false).await else { return };
    let home = tempfile::tempdir().unwrap();
    let client = engine.client().await;
    let image = home::busybox_on(&client).await;
    let caller = caller(&engine.path(), home.path(), &image).await;
    let mut pids = Vec::new();
    for listed in client.list(&[("wire.owner", "")]).await.unwrap() {
        if let Some(pid) = client.inspect(&listed.id).await.unwrap().pid {
            pids.push((listed.name, pid));
        }
    }
    let pid = |name: &str| pids.iter().find(|(of, _)| of == name).unwrap().1;
    engine.end(Os::KILL).await;
    caller.kill();
    until("the end of what was tied to it", || gone(pid("tied"))).await;
    if let Some((_, timed)) = pids.iter().find(|(name, _)| name == "timed") {
        until("the end of what has its time", || gone(*timed)).await;
    }
    assert!(!gone(pid("detached")), "it goes on");
}

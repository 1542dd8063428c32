//! The engine behind the trait that all runtimes share: create, start once, exec, files, end.

use std::time::Duration;

use crate::support::ground::{Ground, plain};
use crate::support::{hardened, home, images};
use wire_core::spawn::runtime::State;
use wire_core::spawn::sweep::Reason;
use wire_core::spawn::{
    Command, Enforce, EngineError, ExecEvent, Lifetime, Outcome, Relaxation, Runtime, SpawnError, SpawnSpec,
    StdioPlan,
};

#[tokio::test]
async fn a_job_goes_through_the_trait() {
    let (docker, _home) = home::docker().await;
    let spec = SpawnSpec::new(images::busybox())
        .cmd(["/bin/sh", "-c", "echo hi; exit 3"])
        .lifetime(Lifetime::For(Duration::from_secs(60)));
    let spec = docker.plan(spec).await.unwrap();
    let runtime: &dyn Runtime = &docker;
    assert_eq!(runtime.facts().disk, Enforce::No);
    let id = runtime.create(&spec).await.unwrap();
    assert_eq!(runtime.create(&spec).await.unwrap(), id, "the same spec is the same container");
    assert_eq!(runtime.inspect(&id).await.unwrap().unwrap().state, State::Created);
    let Some(mut running) = runtime.start(&id, StdioPlan { stdin: false, output: true }).await.unwrap().0
    else {
        panic!()
    };
    let mut all = Vec::new();
    loop {
        match running.next().await {
            Some(ExecEvent::Out { bytes, .. }) => all.extend(bytes),
            Some(ExecEvent::Ended { outcome, .. }) => break assert_eq!(outcome, Outcome::Exited(3)),
            Some(_) => {}
            None => panic!("no end"),
        }
    }
    assert_eq!(all, b"hi\n");
    assert_eq!(runtime.wait(&id).await.unwrap().code, Some(3));
    runtime.start(&id, StdioPlan::default()).await.unwrap();
    assert_eq!(runtime.inspect(&id).await.unwrap().unwrap().state, State::Exited, "never a second start");
    runtime.remove(&id).await.unwrap();
    assert!(runtime.inspect(&id).await.unwrap().is_none());
    assert_eq!(runtime.list(docker.owner()).await.unwrap(), []);
}

#[tokio::test]
async fn programs_files_and_figures_of_a_container_that_waits() {
    let (docker, _home) = home::docker().await;
    let spec = docker.plan(SpawnSpec::new(images::busybox()).relax(Relaxation::ExecTmp)).await.unwrap();
    let runtime: &dyn Runtime = &docker;
    let id = runtime.create(&spec).await.unwrap();
    runtime.start(&id, StdioPlan::default()).await.unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    builder.append_data(&mut header, "a", &b"files"[..]).unwrap();
    let files = runtime.files().unwrap();
    files.put(&id, "/tmp", &builder.into_inner().unwrap()).await.unwrap();
    assert!(files.get(&id, "/tmp/a", 100).await.unwrap().windows(5).any(|part| part == b"files"));
    let command = Command::new(["sleep", "1000"]);
    let mut running = runtime.exec().unwrap().exec(&id, &command).await.unwrap();
    assert!(matches!(running.next().await, Some(ExecEvent::Started { .. })));
    assert!(runtime.stats().unwrap().stats(&id).await.unwrap().pids >= 3);
    running.kill(Duration::ZERO).await.unwrap();
    while let Some(event) = running.next().await {
        if let ExecEvent::Ended { outcome, .. } = event {
            assert_eq!(outcome, Outcome::Signaled(15));
        }
    }
    let exit = runtime.stop(&id, Duration::from_secs(5)).await.unwrap();
    assert!(exit.code.is_some());
    runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn what_was_never_started_has_no_end_to_wait_for() {
    let (docker, home) = home::docker().await;
    let plain = plain(["sleep", "1000"]);
    for spec in [SpawnSpec::new(images::busybox()).lifetime(Lifetime::For(Duration::from_secs(60))), plain] {
        let spec = docker.plan(spec).await.unwrap();
        let id = Runtime::create(&docker, &spec).await.unwrap();
        // Another process does not have its spec.
        let other = home::open(&home).await;
        let found = other.get(id.as_str()).await.unwrap().unwrap();
        assert!(matches!(found.stop(Duration::ZERO).await, Err(EngineError::NeverStarted)));
        assert!(matches!(found.kill().await, Err(EngineError::NeverStarted)));
        let runtime: &dyn Runtime = &other;
        assert!(matches!(runtime.stop(&id, Duration::MAX).await, Err(EngineError::NeverStarted)));
        let started = runtime.start(&id, StdioPlan::default()).await;
        assert!(matches!(started, Err(SpawnError::Engine(EngineError::NeverStarted))), "{started:?}");
        runtime.remove(&id).await.unwrap();
        assert!(Runtime::inspect(&docker, &id).await.unwrap().is_none());
    }
}

/// Its host starts it again after a crash.
#[tokio::test]
async fn what_is_made_for_a_peer_hangs_on_no_process_before_its_start() {
    let ground = Ground::new().await;
    let life = Lifetime::For(Duration::from_secs(300));
    let spec = |peer: bool| {
        let spec = SpawnSpec::new(images::busybox()).lifetime(life);
        if peer { spec.peer("wid:one") } else { spec }
    };
    let maker = home::open(&ground.home).await;
    let mut made = Vec::new();
    for peer in [true, false] {
        let spec = maker.plan(spec(peer)).await.unwrap();
        made.push(Runtime::create(&maker, &spec).await.unwrap());
    }
    drop(maker);
    let swept = ground.docker.sweep(false).await.unwrap();
    assert_eq!(swept.iter().map(|swept| swept.reason).collect::<Vec<_>>(), [Reason::NeverStarted]);
    assert_eq!(ground.containers(), [made[0].as_str()]);
}

fn names(ground: &Ground) -> Vec<String> {
    let names = std::fs::read_dir(ground.home.path().join("host/names")).unwrap();
    let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn whatever_becomes_of_a_container_no_note_of_it_stays() {
    let ground = Ground::new().await;
    let docker = &ground.docker;
    // The shim's volume has a turn of its own, which a sweep takes away.
    ground.waiting().await.remove().await.unwrap();
    docker.sweep(false).await.unwrap();
    let before = names(&ground);
    assert!(before.is_empty(), "{before:?}");

    docker.run(plain(["true"])).await.unwrap();
    docker.run(SpawnSpec::new(images::busybox()).cmd(["true"])).await.unwrap();
    assert_eq!(names(&ground), before, "after runs");

    // Where it is to begin is no folder.
    assert!(docker.spawn(plain(["true"]).workdir("/bin/sh")).await.is_err());
    docker.settled().await;
    assert_eq!(names(&ground), before, "after a spawn that failed");

    for starts in [true, false] {
        let spec = docker.plan(SpawnSpec::new(images::busybox())).await.unwrap();
        let id = Runtime::create(docker, &spec).await.unwrap();
        if starts {
            Runtime::start(docker, &id, StdioPlan::default()).await.unwrap();
        }
        Runtime::remove(docker, &id).await.unwrap();
        assert_eq!(names(&ground), before, "after a removal through the trait, started: {starts}");
    }

    let left = ground.waiting().await;
    hardened::docker(&["rm", "-f", left.id().as_str()]);
    assert_ne!(names(&ground), before, "nobody here knows yet that it is gone");
    docker.sweep(false).await.unwrap();
    assert_eq!(names(&ground), before, "after one that somebody else has removed");
}

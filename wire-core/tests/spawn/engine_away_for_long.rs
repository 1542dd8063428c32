//! An engine that is away for longer than anybody waits: every call says so by type, what ran counts as lost and
//! not as ended, and when the engine is back the same handle finds all of it again.

use std::time::Duration;

use crate::support::home;
use crate::support::private_dockerd::PrivateDockerd;
use rustix::process::Signal as Os;
use wire_core::spawn::{
    Command, EngineError, ExecError, ExecEvent, Lifetime, Outcome, Signal, SpawnError, SpawnSpec,
};

fn away(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { .. } | EngineError::SocketMissing { .. })
}

#[tokio::test]
async fn everything_is_found_again() {
    let Some(mut engine) = PrivateDockerd::start(true).await else { return };
    let home = tempfile::tempdir().unwrap();
    let image = home::busybox_on(&engine.client().await).await;
    let docker = home::on(engine.config(), home.path()).await;
    let life = Lifetime::Detached { max: Duration::from_secs(600) };
    let sandbox = docker.spawn(SpawnSpec::new(&image).name("long").lifetime(life)).await.unwrap();
    let slow = "trap 'echo ended; exit 8' TERM; echo began; while :; do sleep 0.05; done";
    let mut exec = sandbox.exec(Command::new(["sh", "-c", slow])).await.unwrap();
    while !matches!(exec.next().await.unwrap(), ExecEvent::Out { .. }) {}
    let id = exec.id().unwrap();
    engine.end(Os::KILL).await;

    assert!(matches!(sandbox.status().await, Err(error) if away(&error)));
    assert!(matches!(sandbox.kill().await, Err(error) if away(&error)));
    assert!(matches!(docker.list().await, Err(error) if away(&error)));
    assert!(matches!(docker.sweep(false).await, Err(error) if away(&error)));
    assert!(matches!(docker.get("long").await, Err(SpawnError::Engine(error)) if away(&error)));
    let spawned = docker.spawn(SpawnSpec::new(&image)).await;
    assert!(matches!(spawned, Err(SpawnError::Engine(error)) if away(&error)));
    let lost = exec.output().await;
    assert!(matches!(lost.outcome, Outcome::Lost { .. }), "{:?}", lost.outcome);
    let refused = sandbox.run(Command::new(["true"])).await;
    assert!(matches!(refused, Err(ExecError::Engine(ref error)) if away(error)), "{refused:?}");

    engine.run().await;
    assert_eq!(sandbox.run(Command::new(["sh", "-c", "exit 4"])).await.unwrap().outcome, Outcome::Exited(4));
    let exec = sandbox.attach(id, [0, 0]).await.unwrap();
    exec.signal(Signal::TERM, false).await.unwrap();
    let output = exec.output().await;
    assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(8), "began\nended\n".to_owned()));
    sandbox.kill().await.unwrap();
    let ended = sandbox.run(Command::new(["true"])).await;
    assert!(matches!(ended, Err(ExecError::NotRunning)), "{ended:?}");
    sandbox.remove().await.unwrap();
}

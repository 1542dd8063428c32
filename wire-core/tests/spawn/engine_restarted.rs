//! An engine that is ended, killed, hung and started again: calls end with errors and never with made-up codes, events
//! go on with a gap, and what the engine lost is not found.

use crate::support::fake_daemon::hasty;
use crate::support::private_dockerd::PrivateDockerd;
use crate::support::tiny_image;
use rustix::process::Signal as Os;
use serde_json::json;
use wire_core::spawn::docker::EngineConfig;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::containers::{Removed, WaitFor};
use wire_core::spawn::docker::events::{Action, Events, Told};
use wire_core::spawn::docker::hijack::{Attach, ExecStart};
use wire_core::spawn::runtime::State;
use wire_core::spawn::{ContainerId, EngineError, SpawnName};

/// One that waits, on an engine of its own.
async fn waiting(engine: &PrivateDockerd) -> (Client, ContainerId) {
    let client = engine.client().await;
    let (image, _) = tiny_image::import(&client, "restarted").await;
    let body = json!({ "Image": image.as_str(), "Entrypoint": ["/t"], "Cmd": ["wait"], "NetworkDisabled": true, "StopSignal": "SIGKILL",
        "Labels": { "wire.test.run": "restarted" }, "HostConfig": { "NetworkMode": "none" } });
    let id = client.create(&SpawnName::parse("waiting").unwrap(), &body).await.unwrap().id;
    client.start(&id).await.unwrap();
    (client, id)
}

async fn killed(live_restore: bool) {
    let Some(mut engine) = PrivateDockerd::start(live_restore).await else { return };
    let before = machine().await;
    let (client, id) = waiting(&engine).await;
    let mut events = client.events(&[("wire.test.run", "restarted")]).await.unwrap();
    let mut streams = client.attach(&id, Attach::default()).await.unwrap();
    let body = json!({ "Cmd": ["/t", "wait"], "AttachStdout": true });
    let exec = client.exec_create(&id, &body).await.unwrap();
    let mut program = client.exec_start(&exec, ExecStart::default()).await.unwrap();

    let (waited, ()) = tokio::join!(client.wait(&id, WaitFor::NotRunning), async {
        client.inspect(&id).await.unwrap();
        engine.end(Os::KILL).await;
    });
    assert!(matches!(waited, Err(EngineError::Unreachable(_))), "{waited:?}");
    // The streams end; what that means only an inspect can say.
    while streams.output.next().await.is_some() {}
    while program.output.next().await.is_some() {}
    assert!(matches!(client.inspect(&id).await, Err(EngineError::Refused { .. })));

    engine.run().await;
    gap(&mut events).await;
    let lost = client.exec_inspect(&exec).await;
    assert!(matches!(lost, Err(EngineError::NotFound(_))), "{lost:?}");
    let seen = client.inspect(&id).await.unwrap();
    if live_restore {
        assert_eq!((seen.state, seen.exit_code), (State::Running, None));
    } else {
        assert_eq!(seen.state, State::Exited);
        assert_ne!(seen.exit_code, Some(0), "nobody ended it with 0");
    }
    assert_eq!(client.remove(&id, true).await.unwrap(), Removed::Now);
    while !matches!(events.next().await, Told::Event(event) if event.id == id && event.action == Action::Destroy)
    {
    }
    drop(engine);
    assert_eq!(machine().await, before, "the machine's own engine and bridge are as they were");
}

#[tokio::test]
async fn an_engine_that_is_killed() {
    killed(false).await;
}

#[tokio::test]
async fn an_engine_that_is_killed_and_leaves_its_containers() {
    killed(true).await;
}

/// Ended properly, with the containers left: events end without an error, and the wait with one.
#[tokio::test]
async fn an_engine_that_is_ended_and_leaves_its_containers() {
    let Some(mut engine) = PrivateDockerd::start(true).await else { return };
    let (client, id) = waiting(&engine).await;
    let mut events = client.events(&[]).await.unwrap();
    let (waited, ()) = tokio::join!(client.wait(&id, WaitFor::NotRunning), async {
        client.inspect(&id).await.unwrap();
        engine.end(Os::TERM).await;
    });
    assert!(waited.is_err(), "{waited:?}");
    engine.run().await;
    gap(&mut events).await;
    assert_eq!(client.inspect(&id).await.unwrap().state, State::Running);
    client.kill(&id, wire_core::spawn::Signal::KILL).await.unwrap();
    assert_eq!(client.wait(&id, WaitFor::NotRunning).await.unwrap().code, 137);
}

#[tokio::test]
async fn an_engine_that_hangs_and_goes_on() {
    let Some(engine) = PrivateDockerd::start(false).await else { return };
    let (client, id) = waiting(&engine).await;
    let impatient = Client::connect(hasty(engine.config())).await.unwrap();
    engine.hang().await;
    for _ in 0..3 {
        assert!(matches!(impatient.inspect(&id).await, Err(EngineError::Timeout { verb: "inspect" })));
    }
    let (patient, ()) = tokio::join!(client.inspect(&id), async { engine.go_on() });
    assert_eq!(patient.unwrap().state, State::Running);
}

/// Waits for the gap, past what was told before the break.
async fn gap(events: &mut Events) {
    while let Told::Event(event) = events.next().await {
        assert_eq!(event.action, Action::Other, "the exec's");
    }
}

/// The machine's own bridge, and what its own engine has of these tests: nothing.
async fn machine() -> (Option<String>, Option<usize>) {
    let bridge = std::fs::read_to_string("/sys/class/net/docker0/ifindex").ok();
    let client = Client::connect(EngineConfig::from_env().unwrap()).await;
    let Ok(client) = client else { return (bridge, None) };
    (bridge, Some(client.list(&[("wire.test.run", "restarted")]).await.unwrap().len()))
}

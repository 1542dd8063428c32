//! The client against the machine's own engine: containers, streams, programs, files, volumes, images, events.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::time::Duration;

use crate::support::fake_daemon::hasty;
use crate::support::tiny_image;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use wire_core::spawn::docker::EngineConfig;
use wire_core::spawn::docker::client::{Client, Done};
use wire_core::spawn::docker::containers::{Removed, WaitFor};
use wire_core::spawn::docker::events::{Action, Told};
use wire_core::spawn::docker::hijack::{Attach, ExecStart, Hijacked, Output};
use wire_core::spawn::runtime::State;
use wire_core::spawn::{
    ContainerId, EngineError, EngineKind, ImageId, ImageName, Signal, SpawnName, Stream, TtySize, VolumeName,
};

/// An engine with the image, and what is to be removed at the end.
struct Ground {
    client: Client,
    image: ImageId,
    name: ImageName,
    label: String,
}

impl Ground {
    /// `None`, with a line that says why, where no engine runs.
    async fn new(test: &str) -> Option<Self> {
        let client = match Client::connect(EngineConfig::from_env().unwrap()).await {
            Ok(client) => client,
            Err(error) => {
                println!("SKIPPED: {error}");
                return None;
            }
        };
        let (image, name) = tiny_image::import(&client, test).await;
        Some(Self { client, image, name, label: format!("{test}-{}", std::process::id()) })
    }

    fn body(&self, cmd: &[&str], more: Value) -> Value {
        let mut body = json!({
            "Image": self.image.as_str(), "Entrypoint": ["/t"], "Cmd": cmd, "NetworkDisabled": true,
            "Labels": { "wire.test.run": self.label }, "HostConfig": { "NetworkMode": "none" }, "StopSignal": "SIGKILL",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    async fn create(&self, n: u32, cmd: &[&str], more: Value) -> ContainerId {
        let name = SpawnName::parse(&format!("wire-test-{}-{n}", self.label)).unwrap();
        self.client.create(&name, &self.body(cmd, more)).await.unwrap().id
    }

    async fn clear(self) {
        assert!(remove(&self.client, &self.label, &self.name).await.is_ok_and(|image| image == Removed::Now));
        assert_eq!(self.client.list(&[("wire.test.run", &self.label)]).await.unwrap(), []);
    }
}

impl Drop for Ground {
    /// A test that failed leaves nothing either.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (client, label, name) = (self.client.clone(), self.label.clone(), self.name.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let sweep = move || runtime.block_on(remove(&client, &label, &name)).map(drop);
            println!("removed after a failure: {:?}", std::thread::spawn(sweep).join());
        }
    }
}

async fn remove(client: &Client, label: &str, image: &ImageName) -> Result<Removed, EngineError> {
    for left in client.list(&[("wire.test.run", label)]).await? {
        client.remove(&left.id, true).await?;
    }
    client.image_remove(image).await
}

#[tokio::test]
async fn a_container_lives() {
    let Some(ground) = Ground::new("lives").await else { return };
    let client = &ground.client;
    let name = SpawnName::parse(&format!("wire-test-{}-1", ground.label)).unwrap();
    let id = ground.create(1, &["exit", "3"], json!({})).await;
    assert!(matches!(
        client.create(&name, &ground.body(&[], json!({}))).await,
        Err(EngineError::Conflict(_))
    ));
    let missing = json!({ "Image": format!("sha256:{}", "0".repeat(64)) });
    let other = SpawnName::parse(&format!("wire-test-{}-2", ground.label)).unwrap();
    assert!(matches!(client.create(&other, &missing).await, Err(EngineError::NotFound(_))));

    let seen = client.inspect(&id).await.unwrap();
    assert_eq!((seen.state, seen.exit_code, seen.started_at, seen.pid), (State::Created, None, None, None));
    assert_eq!((&seen.id, &seen.name, &seen.image), (&id, &name.to_string(), &ground.image));
    assert_eq!(seen.labels["wire.test.run"], ground.label);
    assert_eq!(seen.host_config["NetworkMode"], "none");
    assert_eq!(client.inspect_name(&name).await.unwrap().id, id);
    assert!(matches!(client.kill(&id, Signal::TERM).await, Err(EngineError::Conflict(_))));

    client.rename(&id, &other).await.unwrap();
    assert!(matches!(client.inspect_name(&name).await, Err(EngineError::NotFound(_))));
    let (waited, started) = tokio::join!(client.wait(&id, WaitFor::NextExit), client.start(&id));
    assert_eq!((waited.unwrap().code, started.unwrap()), (3, Done::Now));
    let seen = client.inspect(&id).await.unwrap();
    assert_eq!((seen.state, seen.exit_code), (State::Exited, Some(3)));
    assert!(seen.created <= seen.started_at && seen.created <= seen.finished_at);
    assert!(client.system_time().await.unwrap() >= seen.finished_at.unwrap());

    let listed = client.list(&[("wire.test.run", &ground.label)]).await.unwrap();
    assert_eq!((listed.len(), &listed[0].id, &listed[0].state), (1, &id, &State::Exited));
    assert_eq!(client.remove(&id, false).await.unwrap(), Removed::Now);
    assert_eq!(client.remove(&id, true).await.unwrap(), Removed::Gone);
    ground.clear().await;
}

#[tokio::test]
async fn a_container_runs_and_is_stopped() {
    let Some(ground) = Ground::new("runs").await else { return };
    let client = &ground.client;
    let id = ground.create(1, &["wait"], json!({})).await;
    assert_eq!(client.start(&id).await.unwrap(), Done::Now);
    assert_eq!(client.start(&id).await.unwrap(), Done::Already);
    let seen = client.inspect(&id).await.unwrap();
    assert!(seen.state == State::Running && seen.pid.is_some() && seen.exit_code.is_none());
    assert!(matches!(client.remove(&id, false).await, Err(EngineError::Conflict(_))));
    let usage = client.usage(&id).await.unwrap();
    assert!(usage.memory.unwrap() > 0 && usage.pids == Some(1), "{usage:?}");
    let top = client.top(&id).await.unwrap();
    assert_eq!((top.titles.len(), top.processes.len()), (4, 1), "{top:?}");
    let error = client.archive_get(&id, "/").await.unwrap_err();
    assert!(matches!(error, EngineError::Conflict(_)), "files of a running container: {error:?}");

    // A wait is answered at once that it has begun: the limit for answers is not one for its length.
    let hasty = Client::connect(hasty(client.config().clone())).await.unwrap();
    let mut wait = std::pin::pin!(hasty.wait(&id, WaitFor::NotRunning));
    let limit = 2 * hasty.config().timeouts.query;
    assert!(tokio::time::timeout(limit, &mut wait).await.is_err(), "it goes on");

    assert_eq!(client.stop(&id, Duration::from_secs(1)).await.unwrap(), Done::Now);
    assert_eq!(wait.await.unwrap().code, 137);
    assert_eq!(client.stop(&id, Duration::from_secs(1)).await.unwrap(), Done::Already);
    let waited = client.wait(&id, WaitFor::NotRunning).await.unwrap();
    assert_eq!((waited.code, waited.error), (137, None));

    let bad = ground.create(2, &[], json!({ "Entrypoint": ["/missing"] })).await;
    assert!(matches!(client.start(&bad).await, Err(EngineError::BadRequest(_))));
    let seen = client.inspect(&bad).await.unwrap();
    assert_eq!((seen.state, seen.started_at, seen.exit_code), (State::Created, None, None));
    assert!(!seen.error.is_empty());
    ground.clear().await;
}

#[tokio::test]
async fn streams_of_a_container() {
    let Some(ground) = Ground::new("streams").await else { return };
    let client = &ground.client;
    let stdin = json!({ "OpenStdin": true, "StdinOnce": true, "AttachStdin": true });
    let id = ground.create(1, &["cat"], stdin).await;
    let Hijacked { input, output } =
        client.attach(&id, Attach { stdin: true, ..Attach::default() }).await.unwrap();
    client.start(&id).await.unwrap();
    let mut input = input.unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    let bytes = sent.clone();
    let (wrote, got) = tokio::join!(
        async move {
            input.write_all(&bytes).await?;
            input.shutdown().await
        },
        all(output)
    );
    wrote.unwrap();
    assert!(got.0 == sent && got.1.is_empty(), "12 MB there and back, and the end of input with them");
    assert_eq!(client.wait(&id, WaitFor::NotRunning).await.unwrap().code, 0);

    let id = ground.create(2, &["say", "to out", "to err"], json!({})).await;
    let streams = client.attach(&id, Attach::default()).await.unwrap();
    client.start(&id).await.unwrap();
    assert_eq!(all(streams.output).await, (b"to out".to_vec(), b"to err".to_vec()));
    let streams = client.attach(&id, Attach { logs: true, ..Attach::default() }).await;
    drop(streams);

    // A terminal of hostile bytes: heads of frames that claim 16 MiB.
    let id = ground.create(3, &["flood", "3000000"], json!({ "Tty": true })).await;
    let streams = client.attach(&id, Attach { tty: true, ..Attach::default() }).await.unwrap();
    client.start(&id).await.unwrap();
    let (out, err) = all(streams.output).await;
    assert!(out == vec![1; 3_000_000] && err.is_empty(), "{} bytes", out.len());
    ground.clear().await;
}

#[tokio::test]
async fn programs_of_the_engine() {
    let Some(ground) = Ground::new("programs").await else { return };
    let client = &ground.client;
    let id = ground.create(1, &["wait"], json!({})).await;
    let body = |cmd: &[&str]| json!({ "Cmd": cmd, "AttachStdout": true, "AttachStderr": true });
    assert!(matches!(client.exec_create(&id, &body(&["/t"])).await, Err(EngineError::Conflict(_))));
    client.start(&id).await.unwrap();

    let exec = client.exec_create(&id, &body(&["/t", "say", "out", "err"])).await.unwrap();
    let streams = client.exec_start(&exec, ExecStart::default()).await.unwrap();
    assert_eq!(all(streams.output).await, (b"out".to_vec(), b"err".to_vec()));
    let seen = client.exec_inspect(&exec).await.unwrap();
    assert!(seen.container == id && seen.pid.is_some());

    let exec = client.exec_create(&id, &body(&["/t", "exit", "126"])).await.unwrap();
    all(client.exec_start(&exec, ExecStart::default()).await.unwrap().output).await;
    let seen = ended(client, &exec).await;
    assert!(seen.exit_code == Some(126) && seen.pid.is_some(), "it ran: {seen:?}");

    // The engine says in the output that there is no such program.
    let exec = client.exec_create(&id, &body(&["/missing"])).await.unwrap();
    let (out, _) = all(client.exec_start(&exec, ExecStart::default()).await.unwrap().output).await;
    let seen = ended(client, &exec).await;
    assert!(seen.exit_code == Some(126) && seen.pid.is_none(), "it never ran: {seen:?}");
    assert!(String::from_utf8_lossy(&out).contains("exec failed"), "{}", String::from_utf8_lossy(&out));

    let tty = json!({ "Cmd": ["/t", "line"], "AttachStdin": true, "AttachStdout": true, "Tty": true });
    let exec = client.exec_create(&id, &tty).await.unwrap();
    let mut streams = client.exec_start(&exec, ExecStart { stdin: true, tty: true }).await.unwrap();
    client.exec_resize(&exec, TtySize { cols: 100, rows: 30 }).await.unwrap();
    streams.input.as_mut().unwrap().write_all(b"hi\n").await.unwrap();
    assert_eq!(all(streams.output).await.0, b"hi\r\ngot it\r\n");
    ground.clear().await;
}

#[tokio::test]
async fn files_volumes_and_images() {
    let Some(ground) = Ground::new("files").await else { return };
    let client = &ground.client;
    let name = VolumeName::parse(&format!("wire-test-{}", ground.label)).unwrap();
    let labels = BTreeMap::from([("wire.test.run".to_owned(), ground.label.clone())]);
    let volume = client.volume_create(&name, &labels, &BTreeMap::new()).await.unwrap();
    assert_eq!((&volume.name, &volume.labels), (&name, &labels));
    // Made again with other labels, it is the old one.
    assert_eq!(client.volume_create(&name, &BTreeMap::new(), &BTreeMap::new()).await.unwrap(), volume);
    assert_eq!(client.volume_inspect(&name).await.unwrap(), volume);
    assert_eq!(client.volume_list(&[("wire.test.run", &ground.label)]).await.unwrap(), [volume]);

    let mounts = json!([{ "Type": "volume", "Source": name.as_str(), "Target": "/v" }]);
    let host = json!({ "HostConfig": { "NetworkMode": "none", "Mounts": mounts } });
    let id = ground.create(1, &["exit", "0"], host).await;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o640);
    tar.append_data(&mut header, "file", &b"hello"[..]).unwrap();
    client.archive_put(&id, "/v", Cursor::new(tar.into_inner().unwrap())).await.unwrap();
    let mut archive = client.archive_get(&id, "/v/file").await.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = archive.next().await.unwrap() {
        bytes.extend_from_slice(&part);
    }
    let mut got = String::new();
    tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .read_to_string(&mut got)
        .unwrap();
    assert_eq!(got, "hello");
    assert!(matches!(client.archive_get(&id, "/nothing").await, Err(EngineError::NotFound(_))));
    assert!(matches!(client.archive_get(&id, "/v/../t").await, Err(EngineError::BadRequest(_))));

    assert!(matches!(client.volume_remove(&name).await, Err(EngineError::Conflict(_))));
    client.remove(&id, true).await.unwrap();
    assert_eq!(client.volume_remove(&name).await.unwrap(), Removed::Now);
    assert_eq!(client.volume_remove(&name).await.unwrap(), Removed::Gone);

    let image = client.image_inspect(&ground.name).await.unwrap();
    assert_eq!((&image.id, image.os.as_str()), (&ground.image, "linux"));
    let second = ImageName::parse(&format!("{}-second", ground.name)).unwrap();
    client.image_tag(&ground.image, &second).await.unwrap();
    let listed = client.image_list(&[("wire.test", &std::process::id().to_string())]).await.unwrap();
    let tags = &listed.iter().find(|image| image.id == ground.image).unwrap().tags;
    assert!(tags.contains(&second.to_string()) && tags.contains(&ground.name.to_string()), "{tags:?}");
    assert_eq!(client.image_remove(&second).await.unwrap(), Removed::Now);
    assert!(matches!(client.image_inspect(&second).await, Err(EngineError::NotFound(_))));
    ground.clear().await;
}

/// A label is able to forge what an event says of the code: so it is not read there.
#[tokio::test]
async fn events_of_a_container() {
    let Some(ground) = Ground::new("events").await else { return };
    let client = &ground.client;
    let mut events = client.events(&[("wire.test.run", &ground.label)]).await.unwrap();
    let labels = json!({ "Labels": { "wire.test.run": ground.label, "exitCode": "0", "execID": "x" } });
    let id = ground.create(1, &["exit", "3"], labels).await;
    client.start(&id).await.unwrap();
    client.wait(&id, WaitFor::NotRunning).await.unwrap();
    client.remove(&id, true).await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&Action::Destroy) {
        let Told::Event(event) = events.next().await else { panic!("a gap after {told:?}") };
        assert_eq!(event.id, id);
        told.push(event.action);
    }
    assert_eq!(told, [Action::Create, Action::Start, Action::Die, Action::Destroy]);
    ground.clear().await;
}

#[tokio::test]
async fn the_engine_says_what_it_is() {
    let Some(ground) = Ground::new("facts").await else { return };
    let facts = ground.client.probe().await.unwrap();
    assert_eq!(facts.kind, EngineKind::Docker);
    assert!(facts.api >= (1, 41) && facts.cpus > 0 && facts.memory > 0);
    assert!(facts.runtimes.contains(&facts.default_runtime), "{facts:?}");
    if let Some(limit) = facts.hard_nofile {
        let start = async |n, limit: u64| {
            let host = json!({ "HostConfig": { "NetworkMode": "none",
                "Ulimits": [{ "Name": "nofile", "Soft": limit, "Hard": limit }] } });
            let id = ground.create(n, &["exit", "0"], host).await;
            ground.client.start(&id).await
        };
        start(1, limit).await.unwrap();
        assert!(start(2, limit + 1).await.is_err(), "{limit} is the most");
    }
    ground.clear().await;
}

async fn all(mut output: Output) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(part) = output.next().await {
        match part.unwrap() {
            (Stream::Stdout, bytes) => out.extend_from_slice(&bytes),
            (Stream::Stderr, bytes) => err.extend_from_slice(&bytes),
        }
    }
    (out, err)
}

/// The end of the output comes before the engine has the code.
async fn ended(
    client: &Client,
    exec: &wire_core::spawn::EngineExecId,
) -> wire_core::spawn::docker::execs::ExecInspect {
    loop {
        let seen = client.exec_inspect(exec).await.unwrap();
        if !seen.running {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

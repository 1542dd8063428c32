//! An engine behind a TCP port, as a tunnel gives it: the same, the half-closed stream included.

use std::path::PathBuf;

use crate::support::fake_daemon::{FakeDaemon, Say, upgraded};
use crate::support::{images, shim};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixStream};
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::hijack::{Attach, Hijacked};
use wire_core::spawn::docker::{Docker, DockerConfig, Endpoint, EngineConfig};
use wire_core::spawn::{
    Command, ContainerId, Mount, Outcome, SourceRefusal, SpawnError, SpawnSpec, SpecError,
};

#[tokio::test]
async fn a_stream_over_tcp() {
    let engine = FakeDaemon::says(upgraded(vec![Say::Echo]));
    let port = tunnel(engine.path()).await;
    let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{port}"), false).unwrap();
    let client = Client::connect(EngineConfig::new(endpoint)).await.unwrap();
    let id = ContainerId::parse(&"ab".repeat(32)).unwrap();
    let how = Attach { stdin: true, tty: true, logs: false };
    let Hijacked { input, mut output } = client.attach(&id, how).await.unwrap();
    let mut input = input.unwrap();
    input.write_all(b"there and back").await.unwrap();
    input.shutdown().await.unwrap();
    let mut got = Vec::new();
    while let Some(part) = output.next().await {
        got.extend_from_slice(&part.unwrap().1);
    }
    assert_eq!(got, b"there and back");
    assert!(engine.seen()[0].head.contains(&format!("host: 127.0.0.1:{port}")), "{}", engine.seen()[0].head);
}

/// What lies here at a path says nothing of what lies there, unless somebody says that it does.
#[tokio::test]
async fn nothing_is_bound_there_unless_it_is_said_to_be_here() {
    let port = tunnel("/var/run/docker.sock".into()).await;
    let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{port}"), false).unwrap();
    let (home, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = std::fs::read(shim::program()).unwrap();
    let config = DockerConfig::new(EngineConfig::new(endpoint), home.path().join("host")).shim(program);
    let source = work.path().to_str().unwrap();
    let spec = || SpawnSpec::new(images::busybox()).mount(Mount::bind(source, "/work"));

    let docker = Docker::connect(config.clone()).await.unwrap();
    let refused = docker.plan(spec()).await;
    let Err(SpawnError::Spec(errors)) = refused else { panic!("{refused:?}") };
    let why = SourceRefusal::Elsewhere;
    assert_eq!(errors, [SpecError::Source { source_path: source.to_owned(), why }]);
    assert!(errors[0].hint().contains("same_files"));
    let sandbox = docker.spawn(SpawnSpec::new(images::busybox())).await.unwrap();
    assert!(sandbox.attestation().unwrap().holds());
    sandbox.remove().await.unwrap();
    assert!(!home.path().join("host/hosts").exists(), "nor is a file of ours");

    let docker = Docker::connect(config.same_files()).await.unwrap();
    let sandbox = docker.spawn(spec()).await.unwrap();
    let done = sandbox.run(Command::new(["ls", "/work"])).await.unwrap();
    assert_eq!(done.outcome, Outcome::Exited(0), "{}", done.stderr.text());
    sandbox.remove().await.unwrap();
}

/// A port that leads to the socket.
async fn tunnel(to: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut engine = UnixStream::connect(&to).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut engine).await });
        }
    });
    port
}

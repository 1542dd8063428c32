//! What an engine says that is not Docker's, or not yet: refused by type, or read without a guess.

use crate::support::fake_daemon::{FakeDaemon, NEVER, Say, VERSION, container, json};
use crate::support::ground::client;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::containers::Removed;
use wire_core::spawn::runtime::State;
use wire_core::spawn::{ContainerId, EngineError, ImageName, SpawnName};

async fn connect(status: u16, body: &str) -> Result<Client, EngineError> {
    let body = body.to_owned();
    let engine = FakeDaemon::start(move |_| Some(json(status, &body)));
    let client = Client::connect(engine.config()).await;
    assert_eq!(engine.seen(), [], "nothing else is asked of it");
    client
}

#[tokio::test]
async fn an_engine_that_is_not_docker() {
    let podman = VERSION.replace("\"Engine\"", "\"Podman Engine\"");
    let error = connect(200, &podman).await.unwrap_err();
    assert!(matches!(&error, EngineError::Unsupported { engine } if engine == "Podman"), "{error:?}");
    let other = VERSION.replace("\"Engine\"", "\"Whale\"");
    assert!(matches!(connect(200, &other).await, Err(EngineError::Unsupported { .. })));
    let old = VERSION.replace("1.41", "1.39");
    assert!(
        matches!(connect(200, &old).await, Err(EngineError::TooOld { have, need: "1.41" }) if have == "1.39")
    );
}

#[tokio::test]
async fn something_that_is_no_engine() {
    assert!(matches!(connect(200, "<html>").await, Err(EngineError::Protocol(_))));
    assert!(matches!(connect(200, "{}").await, Err(EngineError::Protocol(_))));
    assert!(matches!(connect(200, "").await, Err(EngineError::Protocol(_))));
    assert!(
        matches!(connect(403, "no").await, Err(EngineError::Server { code: 403, message }) if message == "no")
    );
    assert!(matches!(connect(302, "").await, Err(EngineError::Server { code: 302, .. })));
    let engine = FakeDaemon::start(|_| Some(vec![Say::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())]));
    assert!(matches!(Client::connect(engine.config()).await, Err(EngineError::Protocol(_))));
    let long = vec![Say::Bytes(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Say::Flood(vec![b'x'; 4096], 1 << 20)];
    let engine = FakeDaemon::start(move |_| Some(long.clone()));
    assert!(matches!(Client::connect(engine.config()).await, Err(EngineError::Protocol(_))));
}

#[tokio::test]
async fn an_endless_answer_is_not_kept() {
    let head = Say::Bytes(b"HTTP/1.1 200 OK\r\n\r\n[".to_vec());
    let engine = FakeDaemon::says(vec![head, Say::Flood(vec![b' '; 64 << 10], usize::MAX)]);
    let error = engine.client().await.list(&[]).await.unwrap_err();
    assert!(matches!(&error, EngineError::Protocol(why) if why.contains("over")), "{error:?}");
    engine.left(2).await;
}

#[tokio::test]
async fn a_state_that_is_not_known_is_named() {
    let engine = FakeDaemon::says(json(200, &container("stopped", 0, NEVER, NEVER)));
    let seen = engine.client().await.inspect(&id()).await.unwrap();
    assert_eq!(seen.state, State::Unknown);
    let listed =
        format!(r#"[{{"Id":"{}","Names":["/other/web","/web"],"State":"melting","Labels":null}}]"#, id());
    let engine = FakeDaemon::says(json(200, &listed));
    let listed = engine.client().await.list(&[]).await.unwrap();
    assert_eq!((listed[0].name.as_str(), &listed[0].state), ("web", &State::Unknown));
}

/// The engine writes code 0 for whatever has no code yet.
#[tokio::test]
async fn no_code_is_invented() {
    let (start, end) = ("2026-11-21T22:00:01Z", "2026-11-21T22:00:02Z");
    for (state, started, finished, code) in [
        ("created", NEVER, NEVER, None),
        ("running", start, NEVER, None),
        // Started a second time.
        ("running", end, start, None),
        ("paused", start, NEVER, None),
        ("restarting", start, end, None),
        ("exited", NEVER, NEVER, None),
        ("exited", start, NEVER, None),
        ("exited", start, end, Some(0)),
        ("dead", start, end, Some(0)),
        ("removing", NEVER, NEVER, None),
        ("unheard-of", start, end, None),
    ] {
        let engine = FakeDaemon::says(json(200, &container(state, 0, started, finished)));
        let seen = engine.client().await.inspect(&id()).await.unwrap();
        assert_eq!(seen.exit_code, code, "{state} {started} {finished}");
        assert_eq!(seen.started_at.is_none(), started == NEVER);
        let debug = format!("{seen:?}");
        assert!(!debug.contains("s3cret"), "{debug}");
    }
}

/// The engine looks a name up as the beginning of an id, too.
#[tokio::test]
async fn a_name_finds_no_other_container() {
    let engine = FakeDaemon::says(json(200, &container("created", 0, NEVER, NEVER)));
    let client = engine.client().await;
    assert!(client.inspect_name(&SpawnName::parse("web").unwrap()).await.is_ok());
    let prefix = SpawnName::parse("abab").unwrap();
    assert!(matches!(client.inspect_name(&prefix).await, Err(EngineError::NotFound(_))));
}

#[tokio::test]
async fn a_removal_that_is_done_is_no_error() {
    for (status, words, came_to) in [
        (204, "", Removed::Now),
        (404, "No such container: x", Removed::Gone),
        (409, "removal of container x is already in progress", Removed::Underway),
    ] {
        let body = format!(r#"{{"message":"{words}"}}"#);
        let engine = FakeDaemon::says(json(status, if status == 204 { "" } else { &body }));
        assert_eq!(engine.client().await.remove(&id(), true).await.unwrap(), came_to);
    }
    let engine = FakeDaemon::says(json(409, r#"{"message":"You cannot remove a running container"}"#));
    assert!(matches!(engine.client().await.remove(&id(), false).await, Err(EngineError::Conflict(_))));
}

/// The engine would make an image of it.
#[tokio::test]
async fn an_archive_without_a_byte_is_none() {
    let engine = FakeDaemon::says(json(200, "{\"status\":\"sha256:00\"}\n"));
    let client = engine.client().await;
    let before = engine.seen().len();
    let refused = client.image_import(std::io::Cursor::new(vec![]), None, &[]).await;
    assert!(matches!(refused, Err(EngineError::NoArchive)), "{refused:?}");
    assert_eq!(engine.seen().len(), before, "nothing was sent");
}

/// A source that breaks is told as such, not as the engine's failure.
#[tokio::test]
async fn an_archive_that_cannot_be_read_is_not_the_engines_fault() {
    let client = client().await;
    for readable in [&b""[..], &[0; 100_000]] {
        let broken = tokio_util::io::StreamReader::new(futures_util::stream::iter([
            Ok(readable),
            Err(std::io::Error::other("the disk is gone")),
        ]));
        let failed = client.image_import(broken, None, &[]).await;
        assert!(matches!(&failed, Err(EngineError::Source(why)) if why == "the disk is gone"), "{failed:?}");
    }
}

/// A pull or an import fails after its 200.
#[tokio::test]
async fn a_failure_in_the_progress_is_a_failure() {
    let steps =
        "{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"no route\"},\"error\":\"no route\"}\r\n";
    let engine = FakeDaemon::says(json(200, steps));
    let client = engine.client().await;
    let name = ImageName::parse("box.example/a:1").unwrap();
    let failed =
        |error: EngineError| matches!(error, EngineError::Server { message, .. } if message == "no route");
    assert!(failed(client.image_pull(&name).await.unwrap_err()));
    assert!(failed(client.image_import(std::io::Cursor::new(vec![0; 1024]), None, &[]).await.unwrap_err()));
    let engine = FakeDaemon::says(json(200, "{\"status\":\"done\"}\n"));
    let imported = engine.client().await.image_import(std::io::Cursor::new(vec![0; 1024]), None, &[]).await;
    assert!(matches!(imported, Err(EngineError::Protocol(_))), "done, and no id");
}

fn id() -> ContainerId {
    ContainerId::parse(&"ab".repeat(32)).unwrap()
}

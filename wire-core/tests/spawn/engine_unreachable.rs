//! An engine that is not there, may not be used, does not listen, or does not answer: each has its own error.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::cutting_proxy::{Cut, CuttingProxy};
use crate::support::fake_daemon::{FakeDaemon, NEVER, Say, container, hasty, json as answer};
use serde_json::json;
use tempfile::TempDir;
use wire_core::spawn::docker::client::{Client, Done};
use wire_core::spawn::docker::containers::WaitFor;
use wire_core::spawn::docker::hijack::{Attach, ExecStart};
use wire_core::spawn::docker::{Endpoint, EngineConfig};
use wire_core::spawn::{
    ContainerId, EngineError, EngineExecId, ImageName, Retry, Signal, SpawnName, TtySize, VolumeName,
};

const NOBODY: u32 = 65534;

async fn connect(path: &Path) -> EngineError {
    Client::connect(hasty(EngineConfig::new(Endpoint::Unix(path.to_owned())))).await.unwrap_err()
}

#[tokio::test]
async fn no_socket() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("engine");
    let error = connect(&path).await;
    assert!(matches!(&error, EngineError::SocketMissing { path: at } if *at == path.display().to_string()));
    assert_eq!(error.retry(), Retry::Safe);
    fs::write(&path, "").unwrap();
    assert!(matches!(connect(&path.join("below")).await, EngineError::SocketMissing { .. }));
}

#[tokio::test]
async fn nobody_listens() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("engine");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(connect(&path).await, EngineError::Refused { .. }));

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{free}"), false).unwrap();
    let error = Client::connect(EngineConfig::new(endpoint)).await.unwrap_err();
    assert!(matches!(&error, EngineError::Refused { path } if *path == format!("tcp://127.0.0.1:{free}")));
}

/// Root may use any socket, so this runs once more as nobody.
#[tokio::test]
async fn no_permission() {
    const SOCKET: &str = "WIRE_TEST_FORBIDDEN_SOCKET";
    if let Ok(path) = std::env::var(SOCKET) {
        let error = connect(Path::new(&path)).await;
        assert!(matches!(&error, EngineError::PermissionDenied { path: at } if *at == path), "{error:?}");
        return;
    }
    let engine = FakeDaemon::start(|_| None);
    fs::set_permissions(engine.path(), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(engine.path().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    if !rustix::process::geteuid().is_root() {
        assert!(matches!(connect(&engine.path()).await, EngineError::PermissionDenied { .. }));
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", "engine_unreachable::no_permission"])
        .env(SOCKET, engine.path())
        .uid(NOBODY)
        .gid(NOBODY);
    match again.output() {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success() && said.contains("1 passed"), "{said}");
        }
        Err(error) => println!("SKIPPED: nobody may not run this test: {error}"),
    }
}

#[tokio::test]
async fn an_answer_that_never_begins_ends_every_call() {
    let engine = FakeDaemon::says(vec![Say::Silence]);
    let client = engine.client().await;
    every_verb(&client, |verb, result| {
        let error = result.unwrap_err();
        assert!(matches!(error, EngineError::Timeout { verb: said } if said == verb), "{verb}: {error:?}");
    })
    .await;
    let calls = engine.seen().len();
    engine.left(calls + 1).await;

    let deaf = FakeDaemon::start(|_| Some(vec![Say::Silence]));
    let error = Client::connect(deaf.config()).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { verb: "version" }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_every_call() {
    for half in
        ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
    {
        let engine = FakeDaemon::says(vec![Say::Bytes(half.into())]);
        let client = engine.client().await;
        // Some need no more than the head; an output that ends early says so when it is read.
        every_verb(&client, |verb, result| match result {
            Err(error) => {
                assert!(matches!(error, EngineError::Unreachable(_)), "{verb}: {half:?}: {error:?}")
            }
            Ok(()) => assert!(half.contains("\r\n\r\n"), "{verb} succeeded with {half:?}"),
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_that_pauses_within_itself_ends() {
    let head = Say::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[".to_vec());
    let engine = FakeDaemon::says(vec![head, Say::Silence]);
    let error = engine.client().await.list(&[]).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { verb: "list" }), "{error:?}");
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    let Some(Say::Bytes(bytes)) =
        answer(200, &container("exited", 3, "2026-11-21T22:00:01Z", "2026-11-21T22:00:02Z")).pop()
    else {
        panic!()
    };
    let engine = FakeDaemon::says(vec![Say::Drip(bytes)]);
    assert_eq!(engine.client().await.inspect(&id()).await.unwrap().exit_code, Some(3));
}

/// The engine answers a stop when the container has stopped, after the grace: that is waited for although it
/// is longer than any other answer may take.
#[tokio::test(start_paused = true)]
async fn a_stop_may_take_its_grace() {
    let engine = FakeDaemon::says(vec![Say::Silence]);
    let client = engine.client().await;
    let before = tokio::time::Instant::now();
    let error = client.stop(&id(), Duration::from_millis(9_300)).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { verb: "stop" }));
    assert_eq!(before.elapsed().as_millis(), 10_250, "the grace in whole seconds, and a quarter");
    assert!(engine.seen()[0].line.contains("/stop?t=10 "), "{}", engine.seen()[0].line);

    let engine = FakeDaemon::says(answer(304, ""));
    assert_eq!(engine.client().await.stop(&id(), Duration::ZERO).await.unwrap(), Done::Already);
}

/// An archive takes as long as it takes, while it moves.
#[tokio::test(start_paused = true)]
async fn an_upload_that_moves_is_no_hang() {
    let engine = FakeDaemon::start(|seen| {
        (seen.path() != "/version").then(|| match seen.path().ends_with("/json") {
            true => answer(200, &container("created", 0, NEVER, NEVER)),
            false => answer(200, ""),
        })
    });
    let client = engine.client().await;
    let (mut writer, reader) = tokio::io::duplex(16);
    let slow = async move {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            tokio::io::AsyncWriteExt::write_all(&mut writer, b"0123456789abcdef").await.unwrap();
        }
    };
    let before = tokio::time::Instant::now();
    let of = id();
    let (put, ()) = tokio::join!(client.archive_put(&of, "/x", reader), slow);
    put.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(4));
    assert_eq!(engine.seen().last().unwrap().body.len(), 320);

    let (_held, stuck) = tokio::io::duplex(16);
    let error = client.archive_put(&id(), "/x", stuck).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { verb: "archive put" }), "{error:?}");
}

/// Wherever the connection to the engine is cut, the call ends with an error of its own.
#[tokio::test]
async fn a_cut_at_any_byte_is_an_error() {
    static CUT: AtomicUsize = AtomicUsize::new(0);
    let body = container("exited", 0, "2026-11-21T22:00:01Z", "2026-11-21T22:00:02Z");
    let engine = FakeDaemon::says(answer(200, &body));
    for answered in [true, false] {
        let proxy = CuttingProxy::start(&engine.path(), move |n| {
            let bytes = CUT.load(Ordering::SeqCst) as u64;
            (n > 0).then_some(if answered { Cut::Answered(bytes) } else { Cut::Asked(bytes) })
        });
        let config = hasty(EngineConfig::new(Endpoint::Unix(proxy.path())));
        let client = Client::connect(config).await.unwrap();
        let mut whole = 0;
        for bytes in (0..60).chain((60..1200).step_by(97)) {
            CUT.store(bytes, Ordering::SeqCst);
            match client.inspect(&id()).await {
                Ok(_) => whole += 1,
                Err(error) => assert!(matches!(error, EngineError::Unreachable(_)), "{bytes}: {error:?}"),
            }
        }
        assert!(whole > 0 && whole < 60, "{whole} came through");
    }
}

fn id() -> ContainerId {
    ContainerId::parse(&"ab".repeat(32)).unwrap()
}

type Call<'a> = std::pin::Pin<Box<dyn Future<Output = (&'static str, Result<(), EngineError>)> + 'a>>;

/// Makes all calls of the client at once, and gives what each came to, with its verb.
async fn every_verb(client: &Client, with: impl Fn(&'static str, Result<(), EngineError>)) {
    let (id, exec) = (&id(), &EngineExecId::parse(&"cd".repeat(32)).unwrap());
    let (name, volume) = (&SpawnName::parse("web").unwrap(), &VolumeName::parse("vol").unwrap());
    let image = &ImageName::parse("box:1").unwrap();
    let (none, size) = (&BTreeMap::new(), TtySize { cols: 1, rows: 1 });
    let body = &json!({});
    let mut all: Vec<Call<'_>> = Vec::new();
    macro_rules! calls {
        ($($verb:literal: $call:expr;)+) => {
            $(all.push(Box::pin(async { ($verb, $call.await.map(drop)) }));)+
        };
    }
    calls! {
        "info": client.probe();
        "info": client.system_time();
        "create": client.create(name, body);
        "start": client.start(id);
        "inspect": client.inspect(id);
        "inspect": client.inspect_name(name);
        "list": client.list(&[]);
        "kill": client.kill(id, Signal::KILL);
        "stop": client.stop(id, Duration::ZERO);
        "wait": client.wait(id, WaitFor::NotRunning);
        "rename": client.rename(id, name);
        "remove": client.remove(id, true);
        "resize": client.resize(id, size);
        "stats": client.usage(id);
        "top": client.top(id);
        "attach": client.attach(id, Attach::default());
        "exec create": client.exec_create(id, body);
        "exec start": client.exec_start(exec, ExecStart::default());
        "exec inspect": client.exec_inspect(exec);
        "exec resize": client.exec_resize(exec, size);
        "image inspect": client.image_inspect(image);
        "image list": client.image_list(&[]);
        "image import": client.image_import(Cursor::new(vec![0; 1024]), None, &[]);
        "image pull": client.image_pull(image);
        "image remove": client.image_remove(image);
        "volume create": client.volume_create(volume, none, none);
        "volume inspect": client.volume_inspect(volume);
        "volume list": client.volume_list(&[]);
        "volume remove": client.volume_remove(volume);
        "inspect": client.archive_get(id, "/x");
        "info": client.events(&[]);
    }
    for (verb, result) in futures_util::future::join_all(all).await {
        with(verb, result);
    }
}

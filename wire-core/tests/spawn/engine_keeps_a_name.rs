//! A name that the engine has given away without a container that can be seen: to a request that it is still at
//! work on, or whose answer was lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::fake_daemon::{FakeDaemon, Say, Seen, json as answer};
use tempfile::TempDir;
use wire_core::spawn::docker::{Docker, DockerConfig};
use wire_core::spawn::{EngineError, Lifetime, ShimMode, SpawnError, SpawnSpec, ValidSpec, fake};

fn plan(name: &str) -> ValidSpec {
    let spec = SpawnSpec::new("debian:12").name(name).cmd(["/bin/true"]).shim(ShimMode::Off);
    fake::valid(spec.lifetime(Lifetime::For(Duration::from_secs(60))))
}

fn creates(seen: &Seen) -> bool {
    seen.path().ends_with("/containers/create")
}

async fn docker(engine: &FakeDaemon) -> (Docker, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let config = DockerConfig::new(engine.config(), home.path().join("host"));
    (Docker::connect(config).await.unwrap(), home)
}

fn engine(script: impl Fn(&Seen) -> Option<Vec<Say>> + Send + Sync + 'static) -> FakeDaemon {
    let info = r#"{"SystemTime":"2026-11-21T22:00:00Z"}"#;
    FakeDaemon::start(move |seen| match seen.path() {
        path if path.ends_with("/info") => Some(answer(200, info)),
        // Nobody has the key.
        path if path.contains("/containers/json") => Some(answer(200, "[]")),
        _ => script(seen),
    })
}

#[tokio::test]
async fn it_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let engine = engine(move |seen| {
        creates(seen).then(|| match asked.fetch_add(1, Ordering::SeqCst) {
            0..3 => answer(409, r#"{"message":"Conflict. The container name is already in use"}"#),
            _ => answer(400, r#"{"message":"now it is free"}"#),
        })
    });
    let (docker, home) = docker(&engine).await;
    let failed = docker.start(&plan("one")).await;
    assert!(matches!(failed, Err(SpawnError::Engine(EngineError::BadRequest(_)))), "{failed:?}");
    assert_eq!(engine.seen().iter().filter(|seen| creates(seen)).count(), 4);
    assert_eq!(
        std::fs::read_dir(home.path().join("host/names")).unwrap().count(),
        0,
        "of nothing no note stays"
    );
}

/// No container has it: names are looked for first.
#[tokio::test]
async fn one_that_several_ids_begin_with_is_free() {
    let engine = engine(|seen| {
        let name = seen.path().contains("/containers/cc");
        let several = r#"{"message":"Multiple IDs found with provided prefix: cc"}"#;
        if creates(seen) {
            return Some(answer(400, r#"{"message":"it comes to that"}"#));
        }
        name.then(|| answer(500, several))
    });
    let (docker, _home) = docker(&engine).await;
    let failed = docker.start(&plan("cc")).await;
    assert!(matches!(failed, Err(SpawnError::Engine(EngineError::BadRequest(_)))), "{failed:?}");
}

/// Each of them is looked for again and again, and not by each of the others too.
#[tokio::test(start_paused = true)]
async fn what_may_have_been_made_is_looked_for_by_one_task() {
    const MAKERS: usize = 10;
    let engine = engine(|seen| {
        let pending = seen.path().contains("/containers/maker-") && seen.path().ends_with("-p/json");
        // The answer is lost; later the engine is in trouble.
        if creates(seen) {
            Some(Vec::new())
        } else {
            pending.then(|| answer(500, r#"{"message":"in trouble"}"#))
        }
    });
    let (docker, _home) = docker(&engine).await;
    for maker in 0..MAKERS {
        let failed = docker.start(&plan(&format!("maker-{maker}"))).await;
        assert!(matches!(failed, Err(SpawnError::Engine(EngineError::Unreachable(_)))), "{failed:?}");
    }
    docker.settled().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut looks = BTreeMap::new();
    for seen in engine.seen().iter().filter(|seen| seen.path().ends_with("-p/json")) {
        *looks.entry(seen.path().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(looks.len(), MAKERS, "{looks:?}");
    // At once, and then after 0.1, 0.2, 0.4, .. 5 s.
    assert!(looks.values().all(|times| (8..=14).contains(times)), "{looks:?}");
}

//! An engine that makes something else than what it was asked for: that is seen before it starts anything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::ground::{client, plain};
use crate::support::step_proxy::StepProxy;
use crate::support::{home, images};
use wire_core::spawn::docker::{Endpoint, EngineConfig};
use wire_core::spawn::{EngineError, Mount, SpawnError, SpawnSpec, VolumeName};

/// Of the same length: the request stays one.
const ASKED: &[u8] = br#""PidsLimit":256"#;
const MADE: &[u8] = br#""PidsLimit":999"#;

#[tokio::test]
async fn nothing_is_started_and_nothing_is_left() {
    let started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&started);
    let engine = StepProxy::start(Path::new("/var/run/docker.sock"), move |_, piece| {
        if let Some(at) = piece.windows(ASKED.len()).position(|window| window == ASKED) {
            piece[at..at + MADE.len()].copy_from_slice(MADE);
        }
        if piece.windows(11).any(|window| window == b"/start HTTP") {
            seen.store(true, Ordering::SeqCst);
        }
        true
    });
    let folder = tempfile::tempdir().unwrap();
    let docker = home::on(EngineConfig::new(Endpoint::Unix(engine.path())), folder.path()).await;
    let volume = VolumeName::parse(&format!("test-dropped-{}", std::process::id())).unwrap();
    let mount = || Mount::volume(volume.as_str(), "/data");
    for spec in [plain(["sleep", "1000"]), SpawnSpec::new(images::busybox())] {
        let made = docker.spawn(spec.mount(mount())).await;
        let Err(SpawnError::ReadBack(mismatches)) = made else { panic!("{made:?}") };
        let fields: Vec<_> = mismatches.iter().map(|mismatch| mismatch.field.as_str()).collect();
        assert_eq!(fields, ["HostConfig.PidsLimit"]);
    }
    assert!(!started.load(Ordering::SeqCst), "something was started");
    assert!(docker.list().await.unwrap().is_empty());
    let volume = client().await.volume_inspect(&volume).await;
    assert!(matches!(volume, Err(EngineError::NotFound(_))), "{volume:?}");
}

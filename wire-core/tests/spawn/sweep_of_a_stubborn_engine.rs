//! An engine that cannot remove one container is no reason to leave the others, and one whose clock is wrong is
//! no reason to remove what still lives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::fake_daemon::{FakeDaemon, Say, json as answer};
use serde_json::json;
use wire_core::spawn::docker::{Docker, DockerConfig};
use wire_core::spawn::sweep::Reason;
use wire_core::spawn::{Kind, Labels, OwnerSecret};
use wire_core::time::Timestamp;

const SECRET: [u8; 32] = [0x31; 32];
const HOUR: i64 = 3_600_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

fn expiring(at: Timestamp) -> Labels {
    let mut labels = Labels::new(Kind::Container, "job");
    labels.expires = Some(at);
    labels
}

/// As the engine writes it.
fn written(at: Timestamp) -> String {
    expiring(at).sign(&OwnerSecret::from_bytes(SECRET), "x")["wire.expires"].clone()
}

/// One whose clock says this, with containers that expire then; it fails to remove those that `fails` names.
fn engine(clock: Timestamp, ends: &[(&str, Timestamp)], fails: &'static str) -> FakeDaemon {
    let listed: Vec<_> = ends
        .iter()
        .enumerate()
        .map(|(n, (name, at))| {
            let labels = expiring(*at).sign(&OwnerSecret::from_bytes(SECRET), name);
            json!({ "Id": format!("{n:064x}"), "Names": [format!("/{name}")], "State": "exited", "Labels": labels })
        })
        .collect();
    let listed = serde_json::to_string(&listed).unwrap();
    let info = json!({ "SystemTime": written(clock) }).to_string();
    FakeDaemon::start(move |seen| match (seen.line.split(' ').next().unwrap(), seen.path()) {
        (_, "/v1.41/info") => Some(answer(200, &info)),
        ("GET", "/v1.41/containers/json") => Some(answer(200, &listed)),
        ("GET", "/v1.41/volumes") => Some(answer(200, r#"{"Volumes":null}"#)),
        ("DELETE", path) if !fails.is_empty() && path.ends_with(fails) => {
            Some(answer(500, r#"{"message":"driver failed to remove root filesystem: device busy"}"#))
        }
        ("DELETE", _) => Some(vec![Say::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())]),
        _ => None,
    })
}

async fn swept(engine: &FakeDaemon) -> Vec<(String, Reason, bool)> {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("host");
    // The owner of the containers above.
    std::fs::create_dir(&folder).unwrap();
    let key = folder.join("owner.key");
    std::fs::write(&key, SECRET).unwrap();
    for (path, mode) in [(&folder, 0o700), (&key, 0o600)] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let docker = Docker::connect(DockerConfig::new(engine.config(), folder)).await.unwrap();
    let swept = docker.sweep(false).await.unwrap();
    swept.into_iter().map(|swept| (swept.name, swept.reason, swept.removed)).collect()
}

#[tokio::test]
async fn one_that_cannot_be_removed_does_not_keep_the_others() {
    let past = now().offset_millis(-HOUR);
    let engine = engine(now(), &[("one", past), ("two", past), ("three", past)], "0");
    let all = swept(&engine).await;
    let wanted = [("one", false), ("two", true), ("three", true)];
    let wanted = wanted.map(|(name, removed)| (name.to_owned(), Reason::Expired, removed));
    assert_eq!(all, wanted);
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_hours_ends_nothing_early() {
    let at = |hours| now().offset_millis(hours * HOUR);
    let ends = [("later", at(1)), ("just-over", at(-1)), ("long-over", at(-3))];
    for skew in [2, -2] {
        let engine = engine(at(skew), &ends, "");
        let names: Vec<_> = swept(&engine).await.into_iter().map(|swept| swept.0).collect();
        // Behind, it is asked by the earlier of the two clocks, and then the difference comes on top.
        let wanted: &[&str] = if skew > 0 { &["long-over"] } else { &[] };
        assert_eq!(names, wanted, "{skew} hours");
    }
}

/// It is meant to run beside everything else.
#[tokio::test]
async fn it_can_be_left_to_a_task() {
    let engine = engine(now(), &[("one", now().offset_millis(-HOUR))], "");
    let home = tempfile::tempdir().unwrap();
    let docker = Docker::connect(DockerConfig::new(engine.config(), home.path().join("host"))).await.unwrap();
    let task = tokio::spawn(async move { docker.keep_swept(Duration::from_secs(1)).await });
    // Both connections of its start, and the list.
    engine.left(4).await;
    task.abort();
    assert!(engine.seen().iter().all(|seen| !seen.line.starts_with("DELETE")), "of another owner");
}

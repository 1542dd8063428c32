//! What is sent to the engine and what it answers is never traced, at no level, by us or by what we build on.

use std::collections::BTreeMap;

use crate::support::fake_daemon::{FakeDaemon, NEVER, Say, container, frame, json as answer, upgraded};
use crate::support::log::Log;
use serde_json::json;
use wire_core::spawn::docker::hijack::Attach;
use wire_core::spawn::{ContainerId, SpawnName, VolumeName};

const SECRET: &str = "s3cret";

#[tokio::test]
async fn no_level_tells_a_secret() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let engine = FakeDaemon::start(|seen| match seen.path().trim_start_matches("/v1.41") {
        "/version" => None,
        path if path.ends_with("/attach") => Some(upgraded(vec![Say::Bytes(frame(1, SECRET.as_bytes()))])),
        path if path.ends_with("/json") => Some(answer(200, &container("created", 0, NEVER, NEVER))),
        path if path.ends_with("/stats") => Some(answer(200, r#"{"s3cret": s3cret"#)),
        path if path.ends_with("/exec") => Some(answer(500, r#"{"message":"it broke"}"#)),
        _ => Some(answer(
            201,
            &json!({ "Id": "ab".repeat(32), "Warnings": [], "Name": "vol", "Driver": "local" }).to_string(),
        )),
    });
    let client = engine.client().await;
    let id = ContainerId::parse(&"ab".repeat(32)).unwrap();
    let body = json!({ "Env": [format!("TOKEN={SECRET}")], "Labels": { "l": SECRET }, "Cmd": [SECRET] });
    let mut shown = vec![format!("{client:?}")];

    shown.push(format!("{:?}", client.create(&SpawnName::parse("web").unwrap(), &body).await.unwrap()));
    shown.push(format!("{:?}", client.inspect(&id).await.unwrap()));
    shown.push(format!("{:?}", client.list(&[("l", SECRET)]).await.unwrap_err()));
    shown.push(format!("{:?}", client.usage(&id).await.unwrap_err()));
    shown.push(format!("{:?}", client.exec_create(&id, &body).await.unwrap_err()));
    let labels = BTreeMap::from([("l".to_owned(), SECRET.to_owned())]);
    client.volume_create(&VolumeName::parse("vol").unwrap(), &labels, &labels).await.unwrap();
    let mut streams = client.attach(&id, Attach::default()).await.unwrap();
    let (_, bytes) = streams.output.next().await.unwrap().unwrap();
    assert_eq!(bytes, SECRET);
    shown.push(format!("{streams:?}"));

    let sent =
        engine.seen().iter().filter(|seen| String::from_utf8_lossy(&seen.body).contains(SECRET)).count();
    assert_eq!(sent, 3, "create, exec and volume did carry it");
    let logged = log.lines();
    assert!(logged.len() >= 7, "the log does hear: {logged:?}");
    for line in logged.iter().chain(&shown) {
        assert!(!line.contains(SECRET), "{line}");
    }
}

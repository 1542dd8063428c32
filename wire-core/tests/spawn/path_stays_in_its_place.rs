//! Nothing that a peer, an image or an engine says leaves its place in a request: names are parsed before they
//! get there, values are encoded, and an id in an answer is parsed like any other.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use crate::support::fake_daemon::{FakeDaemon, NEVER, Say, Seen, container, json as answer};
use serde_json::json;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::containers::WaitFor;
use wire_core::spawn::docker::hijack::{Attach, ExecStart};
use wire_core::spawn::{
    ContainerId, EngineError, EngineExecId, ImageId, ImageName, Signal, SpawnName, TtySize, VolumeName,
};

/// What has been put into names to reach other objects, end a path, or begin another request.
const CORPUS: &[&str] = &[
    "",
    ".",
    "..",
    "/",
    "../volumes/x",
    "..%2fvolumes%2fx",
    "a/../../x",
    "a/b",
    "a?force=1",
    "a?force=1#x",
    "a#x",
    "a%00",
    "a\0",
    "a b",
    "a\tb",
    "a\r\nX: y",
    "a\n",
    "%2e%2e",
    "a&b",
    "a;b",
    "a\\b",
    "ä",
    "\u{202e}a",
    "-a",
    "a@b",
    "a:b",
    "{a}",
    "json?all=1",
    "aa/../json",
    "a ",
    " aa",
    "*",
    "http://x/y",
];

const SIZE: TtySize = TtySize { cols: 80, rows: 24 };

#[test]
fn no_text_of_the_corpus_is_a_name() {
    let hex = "0123456789abcdef".repeat(4);
    for text in CORPUS {
        let around = [(*text).to_owned(), format!("{hex}{text}"), format!("{text}{hex}")];
        for text in around.iter().filter(|text| **text != hex) {
            assert!(ContainerId::parse(text).is_err(), "{text:?}");
            assert!(EngineExecId::parse(text).is_err(), "{text:?}");
            assert!(ImageId::parse(&format!("sha256:{text}")).is_err(), "{text:?}");
            assert!(SpawnName::parse(text).is_err(), "{text:?}");
            assert!(VolumeName::parse(text).is_err(), "{text:?}");
        }
    }
    // A name of an image has slashes and colons; nothing else of these.
    for text in CORPUS.iter().filter(|text| !["a/b", "a@b", "a:b"].contains(text)) {
        assert!(ImageName::parse(text).is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn requests_stay_below_their_object() {
    let (hex, exec) = ("ab".repeat(32), "cd".repeat(32));
    // Names that are words of the API, or look like a way out and are none.
    for name in ["json", "create", "prune", "a..b", "A-._", &hex[..63]] {
        let engine = FakeDaemon::start(script);
        let client = engine.client().await;
        everything(&client, &hex, &exec, name, "x").await;
        paths(&engine.seen(), &hex, &exec, name);
    }
}

#[tokio::test]
async fn values_stay_in_their_parameter() {
    let engine = FakeDaemon::start(script);
    let client = engine.client().await;
    let (hex, exec) = ("ab".repeat(32), "cd".repeat(32));
    for text in CORPUS {
        everything(&client, &hex, &exec, "web", text).await;
    }
    let seen = engine.seen();
    paths(&seen, &hex, &exec, "web");
    let keys = [
        "all",
        "changes",
        "condition",
        "filters",
        "force",
        "fromImage",
        "fromSrc",
        "h",
        "logs",
        "name",
        "noOverwriteDirNonDir",
        "one-shot",
        "path",
        "ps_args",
        "repo",
        "signal",
        "since",
        "stderr",
        "stdin",
        "stdout",
        "stream",
        "t",
        "tag",
        "v",
        "w",
    ];
    for seen in seen {
        let query = seen.target().split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap();
            assert!(keys.contains(&key), "{}", seen.line);
            assert!(
                value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)),
                "{}",
                seen.line
            );
        }
    }
}

#[tokio::test]
async fn an_id_in_an_answer_is_parsed_too() {
    for text in CORPUS {
        let id = json!({ "Id": text }).to_string();
        let engine = FakeDaemon::start(move |seen| (seen.path() != "/version").then(|| answer(201, &id)));
        let client = engine.client().await;
        let hex = ContainerId::parse(&"ab".repeat(32)).unwrap();
        let refused = |result: Result<(), EngineError>| {
            assert!(matches!(result, Err(EngineError::Protocol(_))), "{text:?}: {result:?}");
        };
        refused(client.create(&SpawnName::parse("web").unwrap(), &json!({})).await.map(drop));
        refused(client.exec_create(&hex, &json!({})).await.map(drop));
    }
}

/// What the methods of two requests need for their second.
fn script(seen: &Seen) -> Option<Vec<Say>> {
    match seen.path().trim_start_matches("/v1.41") {
        "/info" => Some(answer(200, r#"{"SystemTime":"2026-11-21T22:28:46Z"}"#)),
        path if path.starts_with("/containers/ab") && path.ends_with("/json") => {
            Some(answer(200, &container("created", 0, NEVER, NEVER)))
        }
        _ => None,
    }
}

/// Every method that takes a name, with every text that it takes being `text`.
async fn everything(client: &Client, hex: &str, exec: &str, name: &str, text: &str) {
    let id = &ContainerId::parse(hex).unwrap();
    let exec = &EngineExecId::parse(exec).unwrap();
    let image = &ImageId::parse(&format!("sha256:{hex}")).unwrap();
    let (named, volume) = (&SpawnName::parse(name).unwrap(), &VolumeName::parse(name).unwrap());
    let reference = &ImageName::parse(&image_of(name)).unwrap();
    let labels = BTreeMap::from([(text.to_owned(), text.to_owned())]);
    let archive = || Cursor::new(b"tar".to_vec());

    let _ = client.create(named, &json!({ "Labels": labels })).await;
    let _ = client.start(id).await;
    let _ = client.inspect(id).await;
    let _ = client.inspect_name(named).await;
    let _ = client.list(&[(text, text)]).await;
    let _ = client.kill(id, Signal::TERM).await;
    let _ = client.stop(id, Duration::ZERO).await;
    let _ = client.wait(id, WaitFor::NextExit).await;
    let _ = client.rename(id, named).await;
    let _ = client.remove(id, true).await;
    let _ = client.resize(id, SIZE).await;
    let _ = client.usage(id).await;
    let _ = client.top(id).await;
    let _ = client.attach(id, Attach { stdin: true, ..Attach::default() }).await;
    let _ = client.exec_create(id, &json!({ "Cmd": [text] })).await;
    let _ = client.exec_start(exec, ExecStart::default()).await;
    let _ = client.exec_inspect(exec).await;
    let _ = client.exec_resize(exec, SIZE).await;
    let _ = client.image_inspect(image).await;
    let _ = client.image_inspect(reference).await;
    let _ = client.image_list(&[(text, "")]).await;
    let _ = client.image_import(archive(), Some(reference), &[text]).await;
    let _ = client.image_pull(reference).await;
    let _ = client.image_tag(image, reference).await;
    let _ = client.image_remove(reference).await;
    let _ = client.volume_create(volume, &labels, &labels).await;
    let _ = client.volume_inspect(volume).await;
    let _ = client.volume_list(&[(text, text)]).await;
    let _ = client.volume_remove(volume).await;
    let _ = client.archive_put(id, &format!("/{text}"), archive()).await;
    let _ = client.archive_get(id, &format!("/{text}")).await;
    let _ = client.events(&[(text, text)]).await;
}

fn image_of(name: &str) -> String {
    // As much of it as may be in one.
    let part = name.replace("..", ".").to_lowercase();
    format!("box.example:5000/{}/json:v1", part.trim_end_matches(['-', '.', '_']))
}

fn paths(seen: &[Seen], hex: &str, exec: &str, name: &str) {
    assert!(seen.len() >= 34, "{} requests", seen.len());
    let reference = image_of(name);
    for seen in seen {
        let mut line = seen.line.split(' ');
        let (method, target, http) = (line.next().unwrap(), line.next().unwrap(), line.next());
        assert_eq!((http, line.next()), (Some("HTTP/1.1"), None), "{}", seen.line);
        assert!(!target.contains('#') && target.matches('?').count() <= 1, "{}", seen.line);
        let path = seen.path().strip_prefix("/v1.41/").unwrap_or_else(|| panic!("{}", seen.line));
        let (object, rest) = path.split_once('/').unwrap_or((path, ""));
        let known: &[String] = &match object {
            "containers" => {
                let of = |word: &str| format!("{hex}/{word}");
                let words = "start json kill stop wait rename resize stats top attach exec archive";
                let mut all: Vec<String> = words.split(' ').map(of).collect();
                all.extend([hex.to_owned(), format!("{name}/json"), "create".into(), "json".into()]);
                all
            }
            "exec" => ["start", "json", "resize"].map(|word| format!("{exec}/{word}")).to_vec(),
            "images" => vec![
                format!("sha256:{hex}/json"),
                format!("sha256:{hex}/tag"),
                format!("{reference}/json"),
                reference.clone(),
                "create".into(),
                "json".into(),
            ],
            "volumes" => vec![String::new(), name.to_owned(), "create".into()],
            "info" | "events" => vec![String::new()],
            other => panic!("{other}: {}", seen.line),
        };
        assert!(known.iter().any(|known| known == rest), "{}", seen.line);
        if method == "DELETE" {
            let whole = [hex.to_owned(), reference.clone(), name.to_owned()];
            assert!(whole.iter().any(|whole| whole == rest), "{}", seen.line);
        }
    }
}

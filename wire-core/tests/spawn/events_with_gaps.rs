//! Events open themselves again, say where something may be missing, and tell nothing twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::fake_daemon::{FakeDaemon, Say, json};
use wire_core::spawn::docker::events::{Action, Events, Told};
use wire_core::time::Timestamp;

/// The engine's clock when the stream is opened: 2026-11-21T22:28:46Z.
const OPENED: u64 = 1_795_300_126;

fn event(action: &str, nanos: u64) -> String {
    let id = "ab".repeat(32);
    format!(
        r#"{{"status":"x","Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{}}}},"time":1,"timeNano":{nanos}}}"#
    ) + "\n"
}

fn nanos(seconds: u64) -> u64 {
    (OPENED + seconds) * 1_000_000_000
}

/// An engine whose n-th stream of events is `streams[n]`, the last one silent at its end.
fn engine(streams: Vec<String>) -> FakeDaemon {
    let count = AtomicUsize::new(0);
    FakeDaemon::start(move |seen| match seen.path() {
        "/v1.41/info" => Some(json(200, r#"{"SystemTime":"2026-11-21T22:28:46Z"}"#)),
        "/v1.41/events" => {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let text = streams.get(n).cloned().unwrap_or_default();
            let mut steps = vec![Say::Bytes(format!("HTTP/1.1 200 OK\r\n\r\n{text}").into_bytes())];
            steps.extend((n + 1 == streams.len()).then_some(Say::Silence));
            Some(steps)
        }
        _ => None,
    })
}

async fn next(events: &mut Events) -> (Option<Action>, u64) {
    match events.next().await {
        Told::Event(event) => (Some(event.action), event.at.as_millis() / 1000 - OPENED),
        Told::Gap { since } => (None, since.as_millis() / 1000 - OPENED),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_break_is_a_gap_and_nothing_is_told_twice() {
    let first = event("start", nanos(1)) + &event("oom", nanos(2));
    let second = event("oom", nanos(2)) + &event("die", nanos(3));
    let engine = engine(vec![first, second, String::new()]);
    let mut events = engine.client().await.events(&[("wire.owner", "me")]).await.unwrap();
    assert_eq!(next(&mut events).await, (Some(Action::Start), 1));
    assert_eq!(next(&mut events).await, (Some(Action::Oom), 2));
    assert_eq!(next(&mut events).await, (None, 2));
    assert_eq!(next(&mut events).await, (Some(Action::Die), 3));
    assert_eq!(next(&mut events).await, (None, 3));

    let asked: Vec<String> = engine.seen().iter().map(|seen| seen.target().to_owned()).collect();
    let since = |text: &str| format!("/v1.41/events?since={text}&");
    assert_eq!(asked[0], "/v1.41/info");
    assert!(asked[1].starts_with(&since(&format!("{OPENED}.000000000"))), "{asked:?}");
    assert!(asked[2].starts_with(&since(&format!("{}.000000001", OPENED + 2))), "{asked:?}");
    assert!(asked[3].starts_with(&since(&format!("{}.000000001", OPENED + 3))), "{asked:?}");
    assert!(asked[1].contains("wire.owner%3Dme"), "{asked:?}");
}

#[tokio::test]
async fn what_is_no_event_may_have_been_one() {
    let odd = ["{}\n", "no json\n", "{\"Action\":1}\n"].concat();
    let bad_id = event("die", nanos(2)).replace("abab", "ABAB");
    let engine = engine(vec![event("start", nanos(1)) + &odd + &bad_id + &event("exec_die", nanos(3))]);
    let mut events = engine.client().await.events(&[]).await.unwrap();
    assert_eq!(next(&mut events).await, (Some(Action::Start), 1));
    for _ in 0..4 {
        assert_eq!(next(&mut events).await, (None, 1));
    }
    assert_eq!(next(&mut events).await, (Some(Action::ExecDie), 3), "the stream goes on");
    assert_eq!(engine.seen().len(), 2, "and is the same");
}

#[tokio::test]
async fn arguments_of_a_program_are_not_told() {
    let engine = engine(vec![event("exec_start: /bin/sh -c s3cret", nanos(1))]);
    let mut events = engine.client().await.events(&[]).await.unwrap();
    let told = events.next().await;
    assert!(matches!(&told, Told::Event(event) if event.action == Action::Other), "{told:?}");
    assert!(!format!("{told:?} {events:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_line_without_an_end_is_not_kept() {
    let engine = engine(vec!["x".repeat(2 << 20), event("start", nanos(1))]);
    let mut events = engine.client().await.events(&[]).await.unwrap();
    assert_eq!(events.next().await, Told::Gap { since: Timestamp::from_millis(OPENED * 1000) });
    assert_eq!(next(&mut events).await, (Some(Action::Start), 1));
}

/// Waiting may be left and begun again without a loss.
#[tokio::test]
async fn a_wait_that_is_left_loses_nothing() {
    let engine = engine(vec![event("start", nanos(1)), String::new(), event("die", nanos(2))]);
    let mut events = engine.client().await.events(&[]).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 4 {
        if let Ok(what) = tokio::time::timeout(Duration::from_millis(1), next(&mut events)).await {
            told.push(what);
        }
    }
    assert_eq!(told, [(Some(Action::Start), 1), (None, 1), (None, 1), (Some(Action::Die), 2)]);
    drop(events);
    engine.left(5).await;
}

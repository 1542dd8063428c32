//! Attach and exec against an engine, or a proxy, that breaks the protocol of streams: typed errors, bounded
//! memory, no hang.

use crate::support::fake_daemon::{FakeDaemon, Say, frame, json, not_upgraded, upgraded};
use tokio::io::AsyncWriteExt;
use wire_core::spawn::docker::client::Client;
use wire_core::spawn::docker::hijack::{Attach, ExecStart, Hijacked, Output};
use wire_core::spawn::{ContainerId, EngineError, EngineExecId, Retry, Stream};

const NO_TTY: Attach = Attach { stdin: false, tty: false, logs: false };
const TTY: Attach = Attach { stdin: false, tty: true, logs: false };
const WITH_STDIN: Attach = Attach { stdin: true, tty: false, logs: false };

#[tokio::test]
async fn output_comes_in_order_and_ends_between_frames() {
    let talk = [frame(1, b"one"), frame(2, b"two"), frame(1, b""), frame(0, b"echo")].concat();
    for say in [Say::Bytes(talk.clone()), Say::Drip(talk)] {
        let (_engine, streams) = attach(upgraded(vec![say]), NO_TTY).await;
        let (out, err, end) = all(streams.unwrap().output).await;
        assert_eq!((out, err), (b"oneecho".to_vec(), b"two".to_vec()));
        assert!(end.is_none(), "{end:?}");
    }
}

#[tokio::test]
async fn the_engines_own_failure_is_an_error() {
    let talk = [frame(1, b"one"), frame(3, b"disk full")].concat();
    let (_engine, streams) = attach(upgraded(vec![Say::Bytes(talk)]), NO_TTY).await;
    let (out, _, end) = all(streams.unwrap().output).await;
    assert_eq!(out, b"one");
    assert!(matches!(end, Some(EngineError::Server { message, .. }) if message == "disk full"));
}

#[tokio::test]
async fn half_a_head_is_an_error() {
    for cut in [&b"\x01\0\0\0"[..], b"\x01\0\0\0\0\0\0\x05ab"] {
        let (_engine, streams) = attach(upgraded(vec![Say::Bytes(cut.to_vec())]), NO_TTY).await;
        let (_, _, end) = all(streams.unwrap().output).await;
        let end = end.unwrap();
        assert!(matches!(end, EngineError::Unreachable(_)), "{end:?}");
        assert_eq!(end.retry(), Retry::OnlyIfIdempotent);
    }
}

#[tokio::test]
async fn no_other_head_is_taken() {
    let (_engine, streams) = attach(upgraded(vec![Say::Bytes(b"plain text".to_vec())]), NO_TTY).await;
    let (out, _, end) = all(streams.unwrap().output).await;
    assert!(out.is_empty());
    assert!(matches!(end, Some(EngineError::Protocol(_))), "{end:?}");
}

/// 256 MiB of one frame that claims 4 GiB go through parts of at most 64 KiB.
#[tokio::test]
async fn the_longest_frame_is_never_held_whole() {
    let (block, blocks) = (vec![b'x'; 64 << 10], 4096);
    let before = peak_rss();
    let head = Say::Bytes(b"\x01\0\0\0\xff\xff\xff\xff".to_vec());
    let (_engine, streams) = attach(upgraded(vec![head, Say::Flood(block, blocks)]), NO_TTY).await;
    let mut output = streams.unwrap().output;
    let mut total = 0;
    let end = loop {
        match output.next().await {
            Some(Ok((Stream::Stdout, bytes))) => {
                assert!(bytes.len() <= 64 << 10, "{}", bytes.len());
                total += bytes.len();
            }
            other => break other,
        }
    };
    assert_eq!(total, 256 << 20);
    assert!(matches!(end, Some(Err(EngineError::Unreachable(_)))), "{end:?}");
    assert!(output.next().await.is_none(), "after an error nothing");
    if let (Some(before), Some(after)) = (before, peak_rss()) {
        assert!(after - before < 16 << 10, "grew by {} KiB", after - before);
    }
}

#[tokio::test]
async fn a_terminal_says_what_it_likes() {
    let hostile = b"\x01\0\0\0\x7f\xff\xff\xff".to_vec();
    let flood = Say::Flood(vec![1; 64 << 10], 320);
    let steps = upgraded(vec![Say::Bytes(hostile.clone()), flood, Say::Bytes(b"end".to_vec())]);
    let (_engine, streams) = attach(steps, TTY).await;
    let mut output = streams.unwrap().output;
    let (mut total, mut first, mut last) = (0, Vec::new(), Vec::new());
    while let Some(part) = output.next().await {
        let (stream, bytes) = part.unwrap();
        assert!(stream == Stream::Stdout && bytes.len() <= 64 << 10);
        first.extend_from_slice(&bytes[..bytes.len().min(8 - first.len().min(8))]);
        last.extend_from_slice(&bytes);
        last.drain(..last.len().saturating_sub(5));
        total += bytes.len();
    }
    assert_eq!(total, 8 + (20 << 20) + 3);
    assert_eq!((first, last), (hostile, b"\x01\x01end".to_vec()));
}

#[tokio::test]
async fn a_proxy_that_does_not_upgrade_still_gives_output() {
    let (engine, streams) = attach(not_upgraded(vec![Say::Drip(frame(2, b"words"))]), NO_TTY).await;
    let streams = streams.unwrap();
    assert!(streams.input.is_none());
    let (_, err, end) = all(streams.output).await;
    assert_eq!(err, b"words");
    assert!(end.is_none());
    assert!(engine.seen()[0].head.contains("upgrade: tcp"), "{}", engine.seen()[0].head);

    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n\x01\0\0\0\0\0\0\x01a\r\n0\r\n\r\n";
    let (_engine, streams) = attach(vec![Say::Bytes(chunked.into())], NO_TTY).await;
    assert_eq!(all(streams.unwrap().output).await.0, b"a");
}

#[tokio::test]
async fn input_needs_an_upgrade() {
    let (engine, streams) = attach(not_upgraded(vec![Say::Silence]), WITH_STDIN).await;
    assert!(matches!(streams, Err(EngineError::ProxyBlocksHijack)), "{streams:?}");
    engine.left(2).await;
}

#[tokio::test]
async fn what_is_no_stream_is_no_stream() {
    for (steps, what) in [(json(304, ""), "304"), (json(204, ""), "204")] {
        let (_engine, streams) = attach(steps, NO_TTY).await;
        assert!(matches!(&streams, Err(EngineError::Protocol(why)) if why.contains(what)), "{streams:?}");
    }
    let (_engine, streams) = attach(json(409, r#"{"message":"paused"}"#), NO_TTY).await;
    assert!(matches!(&streams, Err(EngineError::Conflict(why)) if why == "paused"), "{streams:?}");
}

/// A program may be silent for ever. What must not be is that nobody can leave.
#[tokio::test]
async fn silence_is_left_by_dropping() {
    let (engine, streams) = attach(upgraded(vec![Say::Silence]), NO_TTY).await;
    let mut output = streams.unwrap().output;
    tokio::select! {
        biased;
        told = output.next() => panic!("{told:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(output);
    engine.left(2).await;
}

#[tokio::test]
async fn the_end_of_input_is_sent_and_output_goes_on() {
    let (_engine, streams) = attach(upgraded(vec![Say::Bytes(frame(1, b"hi")), Say::Echo]), WITH_STDIN).await;
    let Hijacked { input, mut output } = streams.unwrap();
    let mut input = input.unwrap();
    assert_eq!(&output.next().await.unwrap().unwrap().1[..], b"hi");
    input.write_all(&frame(2, b"back")).await.unwrap();
    assert_eq!(output.next().await.unwrap().unwrap(), (Stream::Stderr, "back".into()));
    input.write_all(&frame(1, b"last")).await.unwrap();
    input.shutdown().await.unwrap();
    let (out, _, end) = all(output).await;
    assert_eq!(out, b"last", "what was sent before the end comes back after it");
    assert!(end.is_none());
}

#[tokio::test]
async fn an_exec_streams_the_same_way() {
    let engine = FakeDaemon::says(upgraded(vec![Say::Bytes(frame(1, b"out"))]));
    let exec = EngineExecId::parse(&"cd".repeat(32)).unwrap();
    let streams =
        engine.client().await.exec_start(&exec, ExecStart { stdin: true, tty: false }).await.unwrap();
    assert!(streams.input.is_some());
    assert_eq!(all(streams.output).await.0, b"out");
    assert_eq!(engine.seen()[0].line, format!("POST /v1.41/exec/{exec}/start HTTP/1.1"));
    assert_eq!(engine.seen()[0].body, br#"{"Detach":false,"Tty":false}"#);
}

async fn attach(steps: Vec<Say>, how: Attach) -> (FakeDaemon, Result<Hijacked, EngineError>) {
    let engine = FakeDaemon::says(steps);
    let client: Client = engine.client().await;
    let streams = client.attach(&ContainerId::parse(&"ab".repeat(32)).unwrap(), how).await;
    (engine, streams)
}

async fn all(mut output: Output) -> (Vec<u8>, Vec<u8>, Option<EngineError>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match output.next().await {
            Some(Ok((Stream::Stdout, bytes))) => out.extend_from_slice(&bytes),
            Some(Ok((Stream::Stderr, bytes))) => err.extend_from_slice(&bytes),
            Some(Err(error)) => return (out, err, Some(error)),
            None => return (out, err, None),
        }
    }
}

/// The most memory that this process ever had, in KiB.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

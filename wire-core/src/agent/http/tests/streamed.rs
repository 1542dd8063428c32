use std::time::Duration;

use tokio::sync::oneshot;

use super::harness::{accept, answer, listener, post, request, transport};
use crate::agent::transport::{Transport as _, TransportError};

const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn chunks_come_out_as_they_arrive() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let (seen, told) = oneshot::channel();
    let server = async {
        let mut stream = accept(&listener).await;
        request(&mut stream).await.unwrap();
        answer(&mut stream, format!("{HEAD}3\r\none\r\n")).await;
        // The second is not sent before the first was read: nothing buffers in between.
        told.await.unwrap();
        answer(&mut stream, "3\r\ntwo\r\n0\r\n\r\n").await;
    };
    let client = async {
        let mut stream = transport.stream(post(relay, b"")).await.unwrap();
        assert_eq!(stream.status, 200);
        assert_eq!(stream.next().await.unwrap().unwrap(), "one");
        seen.send(()).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "two");
        assert!(stream.next().await.is_none());
        assert!(stream.next().await.is_none());
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_so_once() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let server = async {
        let mut stream = accept(&listener).await;
        request(&mut stream).await.unwrap();
        answer(&mut stream, format!("{HEAD}3\r\none\r\n")).await;
    };
    let client = async {
        let mut stream = transport.stream(post(relay, b"")).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "one");
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error:?}");
        assert!(stream.next().await.is_none());
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_refusal_is_collected_like_an_answer_and_bounded() {
    for (length, fits) in [(4, true), (4000, false)] {
        let (listener, relay) = listener().await;
        let transport = transport();
        let server = async {
            let mut stream = accept(&listener).await;
            request(&mut stream).await.unwrap();
            let body = "x".repeat(length);
            let head = format!("HTTP/1.1 429 No\r\nretry-after: 3\r\ncontent-length: {length}\r\n\r\n");
            answer(&mut stream, head + &body).await;
        };
        let client = async {
            let stream = transport.stream(post(relay.clone(), b"")).await.unwrap();
            let collected = stream.collect(relay.host(), 100).await;
            assert_eq!(collected.is_ok(), fits, "{collected:?}");
            if let Ok(response) = collected {
                assert_eq!(response.retry_after, Some(Duration::from_secs(3)));
            }
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let server = async {
        let mut stream = accept(&listener).await;
        request(&mut stream).await.unwrap();
        answer(&mut stream, format!("{HEAD}3\r\none\r\n")).await;
        assert!(request(&mut stream).await.is_none());
    };
    let client = async {
        let mut stream = transport.stream(post(relay, b"")).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "one");
    };
    tokio::join!(server, client);
}

/// Virtual time: the 45 s pass as soon as both sides have nothing left to do.
#[tokio::test]
async fn a_silent_stream_is_given_up() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let mut stream = {
        let client = transport.stream(post(relay, b""));
        let server = async {
            let mut stream = accept(&listener).await;
            request(&mut stream).await.unwrap();
            answer(&mut stream, HEAD).await;
            stream
        };
        let (client, server) = tokio::join!(client, server);
        (client.unwrap(), server)
    };
    tokio::time::pause();
    let error = stream.0.next().await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error:?}");
    assert!(stream.0.next().await.is_none());
}

use std::time::Duration;

use super::harness::{accept, answer, listener, post, request, transport};
use crate::agent::relay_url::Reach;
use crate::agent::transport::{Method, Transport as _, TransportError};

#[tokio::test]
async fn requests_to_one_relay_share_a_connection_and_load_no_roots() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let server = async {
        let mut stream = accept(&listener).await;
        let (head, body) = request(&mut stream).await.unwrap();
        assert!(head.starts_with("post /v1/mb http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/cbor\r\n"));
        assert!(head.contains(&format!("host: {}\r\n", relay.host())));
        assert!(!head.contains("user-agent"), "{head}");
        assert_eq!(body, b"one");
        answer(&mut stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\n\r\nyes").await;

        let (head, body) = request(&mut stream).await.unwrap();
        assert!(head.starts_with("get /v1/relay?c=x http/1.1\r\n"), "{head}");
        assert!(body.is_empty());
        answer(&mut stream, "HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await;
    };
    let client = async {
        let first = transport.call(post(relay.clone(), b"one")).await.unwrap();
        assert_eq!((first.status, &first.body[..], first.retry_after), (202, &b"yes"[..], None));
        let mut get = post(relay.clone(), b"");
        get.method = Method::Get;
        get.path = "/v1/relay?c=x".to_owned();
        let second = transport.call(get).await.unwrap();
        assert_eq!((second.status, second.retry_after), (429, Some(Duration::from_secs(7))));
    };
    tokio::join!(server, client);
    assert!(!transport.clients.has_tls());
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let (_, response) = tokio::join!(
        async {
            let mut stream = accept(&listener).await;
            request(&mut stream).await.unwrap();
            let elsewhere = "HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n";
            answer(&mut stream, elsewhere).await;
        },
        transport.call(post(relay, b""))
    );
    assert_eq!(response.unwrap().status, 307);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_whether_announced_or_not() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1025\r\n\r\n".to_owned();
    let chunk = "x".repeat(0x300);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n300\r\n{chunk}\r\n300\r\n{chunk}\r\n0\r\n\r\n"
    );
    for sent in [announced, chunked] {
        let (listener, relay) = listener().await;
        let transport = transport();
        let (_open, result) = tokio::join!(
            async {
                let mut stream = accept(&listener).await;
                request(&mut stream).await.unwrap();
                answer(&mut stream, sent).await;
                stream
            },
            transport.call(post(relay.clone(), b""))
        );
        let error = result.unwrap_err();
        assert_eq!(error, TransportError::TooLarge { host: relay.host().to_owned(), limit: 1024 });
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn an_answer_at_the_limit_is_taken() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let (_, result) = tokio::join!(
        async {
            let mut stream = accept(&listener).await;
            request(&mut stream).await.unwrap();
            let body = "x".repeat(1024);
            answer(&mut stream, format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{body}")).await;
        },
        transport.call(post(relay, b""))
    );
    assert_eq!(result.unwrap().body.len(), 1024);
}

#[tokio::test]
async fn silence_is_a_time_out_before_and_within_the_answer() {
    for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let (listener, relay) = listener().await;
        let transport = transport();
        let mut asked = post(relay.clone(), b"");
        asked.timeout = Duration::from_millis(200);
        let (_, result) = tokio::join!(
            async {
                let mut stream = accept(&listener).await;
                request(&mut stream).await.unwrap();
                answer(&mut stream, begun).await;
                assert!(request(&mut stream).await.is_none(), "the client hangs up");
            },
            transport.call(asked)
        );
        let error = result.unwrap_err();
        assert_eq!(error, TransportError::Timeout { host: relay.host().to_owned() });
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn nobody_there_and_hanging_up_are_unreachable() {
    let (gone, relay) = listener().await;
    drop(gone);
    let error = transport().call(post(relay.clone(), b"")).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!("cannot reach {}: Connection refused (os error 111)", relay.host())
    );

    for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let (listener, relay) = listener().await;
        let transport = transport();
        let (_, result) = tokio::join!(
            async {
                let mut stream = accept(&listener).await;
                request(&mut stream).await.unwrap();
                answer(&mut stream, begun).await;
            },
            transport.call(post(relay, b""))
        );
        assert!(matches!(result, Err(TransportError::Unreachable { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn what_speaks_no_http_is_unreachable_too() {
    let (listener, relay) = listener().await;
    let transport = transport();
    let (_, result) = tokio::join!(
        async {
            let mut stream = accept(&listener).await;
            request(&mut stream).await.unwrap();
            answer(&mut stream, "SSH-2.0-OpenSSH_9.9\r\n").await;
        },
        transport.call(post(relay, b""))
    );
    assert!(matches!(result, Err(TransportError::Unreachable { .. })), "{result:?}");
}

#[tokio::test]
async fn a_relay_that_a_peer_named_is_not_looked_for_at_home() {
    for url in ["http://127.0.0.1:1", "https://localhost:1", "https://10.0.0.1", "https://intranet"] {
        let mut asked = post(super::harness::relay(url), b"");
        asked.reach = Reach::PublicOnly;
        let error = transport().call(asked.clone()).await.unwrap_err();
        assert!(matches!(error, TransportError::Private { .. }), "{url}: {error:?}");
        assert!(transport().stream(asked).await.is_err());
    }
}

#[test]
fn what_is_said_stays_out_of_debug_output() {
    let asked = post(super::harness::relay("http://127.0.0.1:1"), b"token");
    assert_eq!(format!("{asked:?}"), "HttpRequest(Post http://127.0.0.1:1/v1/mb, 5 bytes)");
}

use super::harness::{accept, answer, listener, post, relay, request};
use super::secured::trusted;
use crate::agent::http::{HttpTransport, ProxySettings};
use crate::agent::transport::{Transport as _, TransportError};

#[tokio::test]
async fn https_goes_through_a_tunnel_that_sees_only_the_address() {
    let (proxy, address) = listener().await;
    let (acceptor, setup) = trusted("relay.example.org", &["http/1.1"]);
    let settings = ProxySettings::new(format!("http://me:pw@{}", address.host()), "");
    let transport = HttpTransport::with_tls(&settings, setup).unwrap();
    let server = async {
        let mut stream = accept(&proxy).await;
        let (head, _) = request(&mut stream).await.unwrap();
        assert!(head.starts_with("connect relay.example.org:8443 http/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: basic bwu6chc="), "{head}");
        answer(&mut stream, "HTTP/1.1 200 Connected\r\n\r\n").await;

        let mut inner = acceptor.accept(stream).await.unwrap();
        let (head, body) = request(&mut inner).await.unwrap();
        assert!(!head.contains("proxy-authorization"), "the relay does not learn it: {head}");
        assert_eq!(body, b"sealed");
        answer(&mut inner, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        request(&mut inner).await
    };
    let client = async move {
        let result = transport.call(post(relay("https://relay.example.org:8443"), b"sealed")).await;
        drop(transport);
        result
    };
    let (_, result) = tokio::join!(server, client);
    assert_eq!(result.unwrap().body, "ok");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_as_the_cause() {
    for (said, reason) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy authorization required"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "unsuccessful"),
    ] {
        let (proxy, address) = listener().await;
        let settings = ProxySettings::new(format!("http://{}", address.host()), "");
        let transport = HttpTransport::new(&settings).unwrap();
        let (_, result) = tokio::join!(
            async {
                let mut stream = accept(&proxy).await;
                request(&mut stream).await.unwrap();
                answer(&mut stream, said).await;
            },
            transport.call(post(relay("https://relay.example.org"), b""))
        );
        let error = result.unwrap_err();
        assert!(matches!(error, TransportError::Proxy { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.starts_with("cannot reach relay.example.org through the proxy: "), "{told}");
        assert!(told.contains(reason), "{told}");
    }
}

#[tokio::test]
async fn loopback_and_plain_http_never_go_through_it() {
    let (server, address) = listener().await;
    // Nobody listens where this points.
    let transport = HttpTransport::new(&ProxySettings::new("http://127.0.0.1:1", "")).unwrap();
    let (_, result) = tokio::join!(
        async {
            let mut stream = accept(&server).await;
            let (head, _) = request(&mut stream).await.unwrap();
            assert!(head.starts_with("post /v1/mb "), "{head}");
            answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        },
        transport.call(post(address.clone(), b""))
    );
    assert_eq!(result.unwrap().status, 200);

    let (_, result) = tokio::join!(
        async { drop(accept(&server).await) },
        transport.call(post(relay(&format!("https://{}", address.host())), b""))
    );
    assert!(matches!(result, Err(TransportError::Unreachable { .. })), "{result:?}");
}

#[test]
fn hosts_that_no_proxy_names_go_without() {
    let matcher = |none_for: &str| ProxySettings::new("proxy:3128", none_for).matcher().unwrap().unwrap();
    let via = |none_for: &str, to: &str| matcher(none_for).intercept(&to.parse().unwrap()).is_some();
    assert!(via("", "https://relay.example.org"));
    assert!(via("example.net, 10.0.0.0/8", "https://relay.example.org"));
    assert!(!via("example.net, example.org", "https://relay.example.org"));
    assert!(!via("10.0.0.0/8", "https://10.2.3.4"));
    assert!(!via("*", "https://relay.example.org"));
}

#[test]
fn a_proxy_that_makes_no_sense_is_an_error_not_a_way_around_it() {
    for value in ["socks5://proxy:1080", "https://proxy:443", "http://", "http://a b"] {
        let error = HttpTransport::new(&ProxySettings::new(value, "")).unwrap_err();
        assert!(matches!(error, TransportError::Unusable { .. }), "{value}: {error:?}");
    }
    assert!(ProxySettings::none().matcher().unwrap().is_none());
}

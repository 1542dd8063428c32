use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;

use super::harness::{accept, answer, listener, post, relay, request, transport};
use crate::agent::http::client::TlsSetup;
use crate::agent::http::{HttpTransport, ProxySettings};
use crate::agent::transport::{Transport as _, TransportError};

/// A server for `name` that offers `alpn`, and a client set-up that trusts it.
pub(super) fn trusted(name: &str, alpn: &[&str]) -> (TlsAcceptor, TlsSetup) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let setup = move || {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(versions.with_root_certificates(roots.clone()).with_no_client_auth())
    };
    (TlsAcceptor::from(Arc::new(server)), Box::new(setup))
}

#[tokio::test]
async fn http_1_goes_over_tls_where_the_relay_has_nothing_newer() {
    let (listener, plain) = listener().await;
    let (acceptor, setup) = trusted("127.0.0.1", &["http/1.1"]);
    let transport = HttpTransport::with_tls(&ProxySettings::none(), setup).unwrap();
    assert!(!transport.clients.has_tls());
    let (_, result) = tokio::join!(
        async {
            let mut stream = acceptor.accept(accept(&listener).await).await.unwrap();
            assert_eq!(request(&mut stream).await.unwrap().1, b"sealed");
            answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            // Not dropped before the client has read: TLS would report a truncated answer.
            request(&mut stream).await
        },
        async {
            let result = transport.call(post(relay(&format!("https://{}", plain.host())), b"sealed")).await;
            assert!(transport.clients.has_tls());
            drop(transport);
            result
        }
    );
    assert_eq!(result.unwrap().body, "ok");
}

#[tokio::test]
async fn http_2_is_agreed_on_where_the_relay_offers_it() {
    let (listener, plain) = listener().await;
    let (acceptor, setup) = trusted("127.0.0.1", &["h2", "http/1.1"]);
    let transport = HttpTransport::with_tls(&ProxySettings::none(), setup).unwrap();
    let (preface, result) = tokio::join!(
        async {
            let mut stream = acceptor.accept(accept(&listener).await).await.unwrap();
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            preface
        },
        transport.call(post(relay(&format!("https://{}", plain.host())), b"sealed"))
    );
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(matches!(result, Err(TransportError::Unreachable { .. })), "{result:?}");
}

#[tokio::test]
async fn a_relay_that_the_web_does_not_vouch_for_is_refused() {
    let (listener, plain) = listener().await;
    let (acceptor, _) = trusted("127.0.0.1", &["http/1.1"]);
    let transport = transport();
    let (_, result) = tokio::join!(
        async { assert!(acceptor.accept(accept(&listener).await).await.is_err()) },
        transport.call(post(relay(&format!("https://{}", plain.host())), b"sealed"))
    );
    let error = result.unwrap_err();
    assert!(matches!(error, TransportError::Tls { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (listener, plain) = listener().await;
    let (acceptor, setup) = trusted("relay.example.org", &["http/1.1"]);
    let transport = HttpTransport::with_tls(&ProxySettings::none(), setup).unwrap();
    let (_, result) = tokio::join!(
        async { assert!(acceptor.accept(accept(&listener).await).await.is_err()) },
        transport.call(post(relay(&format!("https://{}", plain.host())), b"sealed"))
    );
    assert!(matches!(result, Err(TransportError::Tls { .. })), "{result:?}");
}

#[tokio::test]
async fn what_speaks_no_tls_is_refused() {
    let (listener, plain) = listener().await;
    let transport = transport();
    let (_, result) = tokio::join!(
        async {
            let mut stream = accept(&listener).await;
            answer(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let mut rest = Vec::new();
            // A reset is fine as well: the client has seen enough.
            let _ = stream.read_to_end(&mut rest).await;
        },
        transport.call(post(relay(&format!("https://{}", plain.host())), b"sealed"))
    );
    assert!(matches!(result, Err(TransportError::Tls { .. })), "{result:?}");
}

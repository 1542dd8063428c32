//! The relay signs the challenge, the name that it was asked as, and its time; it answers for its
//! own names alone, over HTTP/1.1 and HTTP/2.

use crate::common::*;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use wire_core::mailbox::*;
use wire_relay::RelayConfig;

#[tokio::test(flavor = "multi_thread")]
async fn relay_proves_its_key() {
    let data = tempfile::tempdir().unwrap();
    let relay = Running::start(data.path()).await;
    let challenge = Challenge::random(&mut rng());
    let path = format!("/v1/relay?c={}", challenge.to_text());
    let host = relay.address.to_string();
    let proof = RelayProof::from_bytes(relay.get(&path).await.ok()).unwrap();
    let info = proof.verify(&challenge, &host).unwrap();
    assert_eq!(info.relay_id, relay.relay_id);
    assert!(now().signed_since(info.time).abs() < 60_000);
    assert!(proof.verify(&challenge, "elsewhere.example").is_err());

    let socket = TcpStream::connect(relay.address).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://{host}{path}")).body(Empty::<Bytes>::new()).unwrap();
    let answer = Answer::of(client.send_request(request).await.unwrap()).await;
    let proof = RelayProof::from_bytes(answer.ok()).unwrap();
    assert_eq!(proof.verify(&challenge, &host).unwrap().relay_id, relay.relay_id);
    drop(client);

    assert_eq!(relay.get("/v1/relay").await.refusal(), Refusal::Malformed);
    assert_eq!(relay.get("/v1/relay?c=short").await.refusal(), Refusal::Malformed);
    assert_eq!(relay.get("/v1/nothing").await.refusal(), Refusal::NotFound);
    assert_eq!(relay.get("/healthz").await.status, 200);
    assert_eq!(relay.get("/readyz").await.status, 200);
    relay.stop().await;

    let named = Running::with(&RelayConfig::new(data.path()).hosts(["relay.example"])).await;
    assert_eq!(named.get(&path).await.refusal(), Refusal::NotFound);
    named.stop().await;
    let by_address = Running::with(&RelayConfig::new(data.path()).hosts(["127.0.0.1"])).await;
    by_address.get(&path).await.ok();
    by_address.stop().await;
}

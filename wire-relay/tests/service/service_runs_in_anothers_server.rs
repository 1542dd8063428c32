//! The service is mounted in a hyper server that is not ours, under its own router.

use crate::common::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use wire_core::mailbox::*;
use wire_relay::{Relay, RelayConfig};

#[tokio::test(flavor = "multi_thread")]
async fn service_runs_in_anothers_server() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::open(&RelayConfig::new(data.path())).unwrap();
    let maintenance = tokio::spawn(relay.clone().maintain());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mounted = relay.clone();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let router = service_fn(move |request: Request<Incoming>| {
            let relay = mounted.clone();
            async move {
                if request.uri().path().starts_with("/v1/") {
                    return relay.call(request).await.map(|answer| answer.map(BodyExt::boxed));
                }
                Ok(Response::new(Full::new(Bytes::from("the host's own page")).boxed()))
            }
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), router).await
    });

    let socket = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let mut get = async |path: &str| {
        client.ready().await.unwrap();
        let request = Request::get(path).header("host", "relay.example").body(Empty::<Bytes>::new()).unwrap();
        Answer::of(client.send_request(request).await.unwrap()).await
    };
    assert_eq!(get("/").await.body, "the host's own page");
    let challenge = Challenge::random(&mut rng());
    let answer = get(&format!("/v1/relay?c={}", challenge.to_text())).await;
    let proof = RelayProof::from_bytes(answer.ok()).unwrap();
    assert_eq!(proof.verify(&challenge, "relay.example").unwrap().relay_id, relay.relay_id());
    drop(client);
    server.await.unwrap().unwrap();
    relay.drain();
    maintenance.await.unwrap().unwrap();
}

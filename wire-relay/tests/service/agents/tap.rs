//! A relay whose every request is kept, with its head.

use std::path::Path;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_relay::{Relay, RelayConfig, RelayId, RelayService, StoreError};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Heard {
    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        let head = format!("{} {} {:?}", self.method, self.target, self.headers);
        [head.as_bytes(), &self.body].concat()
    }
}

pub struct TappedRelay {
    pub url: RelayUrl,
    heard: Arc<Mutex<Vec<Heard>>>,
    service: RelayService,
    maintenance: JoinHandle<Result<(), StoreError>>,
    server: JoinHandle<()>,
}

impl TappedRelay {
    pub async fn start(data: &Path) -> Self {
        let service = Relay::open(&RelayConfig::new(data)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = RelayUrl::parse(&format!("http://{address}"), PlainHttp::LoopbackOnly).unwrap();
        let maintenance = tokio::spawn(service.clone().maintain());
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let server = tokio::spawn(listen(listener, service.clone(), heard.clone()));
        Self { url, heard, service, maintenance, server }
    }

    pub fn id(&self) -> RelayId {
        self.service.relay_id()
    }

    /// Ends it when those who spoke to it have, and gives what it heard.
    pub async fn stop(self) -> Vec<Heard> {
        self.server.abort();
        self.service.drain();
        self.maintenance.await.unwrap().unwrap();
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// Ends all of its connections when it is ended.
async fn listen(listener: TcpListener, relay: RelayService, heard: Arc<Mutex<Vec<Heard>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (relay, heard) = (relay.clone(), heard.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (relay, heard) = (relay.clone(), heard.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                heard.lock().unwrap().push(Heard {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    headers: head.headers.clone(),
                    body: body.to_vec(),
                });
                let Ok(answer) = relay.call(Request::from_parts(head, Full::new(body))).await;
                Ok::<_, hyper::Error>(answer)
            }
        });
        connections.spawn(async move {
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

//! A relay on a loopback port, and a client that knows no more than the wire format.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the scenario")]

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire_core::mailbox::*;
use wire_core::pairing::Rendezvous;
use wire_core::time::Timestamp;
use wire_relay::{FjallStore, Relay, RelayConfig, RelayService, Store, serve};

pub(crate) fn rng() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// A relay that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) relay_id: RelayId,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::with(&RelayConfig::new(data)).await
    }

    pub(crate) async fn with(config: &RelayConfig) -> Self {
        Self::serving(Relay::open(config).unwrap()).await
    }

    pub(crate) async fn with_store<S: Store>(config: &RelayConfig, store: S) -> Self {
        Self::serving(RelayService::with_store(config, store).unwrap()).await
    }

    async fn serving<S: Store>(service: RelayService<S>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay_id = service.relay_id();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, service, async { drop(stopped.await) }));
        Self { address, relay_id, stop, task }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }

    /// How it ended by itself, within a minute.
    pub(crate) async fn ended(self) -> std::io::Result<()> {
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), self.task).await;
        drop(self.stop);
        ended.unwrap().unwrap()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .body(Full::new(body.into()))
            .unwrap();
        client.send_request(request).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.send("POST", path, body).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.send("GET", path, Bytes::new()).await).await
    }

    pub(crate) async fn mailbox(&self, request: &SignedRequest) -> Answer {
        self.post("/v1/mb", request.to_bytes()).await
    }

    pub(crate) async fn put(
        &self,
        place: &Rendezvous,
        token: &ClientToken,
        slot: Slot,
        bytes: &[u8],
    ) -> Answer {
        let call = Put { place: place.clone(), token: token.clone(), slot, bytes: bytes.to_vec() };
        self.post("/v1/pair/put", call.to_bytes()).await
    }

    pub(crate) async fn get_slot(
        &self,
        place: &Rendezvous,
        token: &ClientToken,
        slot: Slot,
        wait_ms: u32,
    ) -> Answer {
        let call = Get { place: place.clone(), token: token.clone(), slot, wait_ms };
        self.post("/v1/pair/get", call.to_bytes()).await
    }

    pub(crate) async fn allocate(&self, token: &ClientToken) -> Rendezvous {
        let call = Allocate { token: token.hash(), invite: None, right: Right::None };
        let answer = self.post("/v1/pair/allocate", call.to_bytes()).await;
        Allocated::from_bytes(answer.ok()).unwrap().place
    }

    pub(crate) async fn claim(&self, place: &Rendezvous, token: &ClientToken) -> Answer {
        let call = Claim { place: place.clone(), token: token.hash() };
        self.post("/v1/pair/claim", call.to_bytes()).await
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            retry_after: header("retry-after"),
            content_type: header("content-type"),
            body: response.into_body().collect().await.unwrap().to_bytes(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> &[u8] {
        assert!(matches!(self.status, 200 | 202), "{self:?}");
        &self.body
    }

    #[track_caller]
    pub(crate) fn refusal(&self) -> Refusal {
        let refused = Refused::from_bytes(&self.body).unwrap();
        assert_eq!(refused.refusal.status(), self.status);
        assert_eq!(refused.refusal.retry_after().map(|s| s.to_string()), self.retry_after);
        refused.refusal
    }
}

/// A mailbox, its owner and its sender.
pub(crate) struct Mailbox {
    pub(crate) owner: MailboxKeyPair,
    pub(crate) sender: SenderKeyPair,
    pub(crate) certificate: Certificate,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self::with(1, Quota::default())
    }

    pub(crate) fn with(epoch: u32, quota: Quota) -> Self {
        let (owner, sender) = (MailboxKeyPair::generate(&mut rng()), SenderKeyPair::generate(&mut rng()));
        let certificate = Certificate::issue(&owner, sender.public(), epoch, quota);
        Self { owner, sender, certificate }
    }

    pub(crate) async fn created(relay: &Running) -> Self {
        let mailbox = Self::new();
        mailbox.create(relay).await;
        mailbox
    }

    pub(crate) async fn create(&self, relay: &Running) -> Incarnation {
        let create = Operation::Create { min_epoch: 1, right: Right::None };
        Done::from_bytes(self.owner(relay, &create).await.ok()).unwrap().incarnation
    }

    pub(crate) async fn owner(&self, relay: &Running, operation: &Operation) -> Answer {
        relay.mailbox(&SignedRequest::by_owner(&self.owner, &relay.relay_id, now(), operation)).await
    }

    pub(crate) async fn sender(&self, relay: &Running, operation: &Operation) -> Answer {
        let request =
            SignedRequest::by_sender(&self.sender, &self.certificate, &relay.relay_id, now(), operation);
        relay.mailbox(&request).await
    }

    pub(crate) async fn post(&self, relay: &Running, envelopes: &[&[u8]]) -> Answer {
        let envelopes = envelopes.iter().map(|e| e.to_vec()).collect();
        self.sender(relay, &Operation::Post { envelopes }).await
    }

    /// Posts, and gives the verdicts.
    pub(crate) async fn posted(&self, relay: &Running, envelopes: &[&[u8]]) -> Vec<Verdict> {
        let answer = self.post(relay, envelopes).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        Posted::from_bytes(&answer.body).unwrap().verdicts
    }

    pub(crate) async fn poll(&self, relay: &Running, wait_ms: u32) -> Page {
        let poll = Operation::Poll { incarnation: None, after: 0, max: 128, wait_ms };
        Page::from_bytes(self.owner(relay, &poll).await.ok()).unwrap()
    }

    pub(crate) async fn ack(
        &self,
        relay: &Running,
        incarnation: Incarnation,
        seq: u64,
        envelope: &[u8],
    ) -> Answer {
        let at = Cursor { incarnation, seq };
        self.owner(relay, &Operation::Ack { at, hash: EnvelopeHash::of(envelope) }).await
    }

    pub(crate) fn signed_poll(&self, relay: &Running) -> SignedRequest {
        let poll = Operation::Poll { incarnation: None, after: 0, max: 0, wait_ms: 0 };
        SignedRequest::by_owner(&self.owner, &relay.relay_id, now(), &poll)
    }
}

/// The envelopes of a page.
pub(crate) fn contents(page: &Page) -> Vec<&[u8]> {
    page.envelopes.iter().map(|(_, envelope)| envelope.as_slice()).collect()
}

/// The frames of a streaming read.
pub(crate) struct Frames {
    body: Incoming,
    decoder: FrameDecoder,
}

impl Frames {
    pub(crate) async fn open(relay: &Running, mailboxes: &[&Mailbox], follow: bool) -> Self {
        let polls = mailboxes.iter().map(|mailbox| mailbox.signed_poll(relay)).collect();
        let response = relay.send("POST", "/v1/read", ReadRequest { polls, follow }.to_bytes()).await;
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), decoder: FrameDecoder::new(1 << 20) }
    }

    /// The next frame, or none when the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let chunk = self.body.frame().await?.unwrap();
            self.decoder.push(chunk.data_ref().unwrap());
        }
    }

    /// The next envelope: which poll, which number, what.
    pub(crate) async fn envelope(&mut self) -> (u32, u64, Vec<u8>) {
        match self.next().await {
            Some(Frame::Envelope { index, seq, envelope, .. }) => (index, seq, envelope),
            other => panic!("{other:?}"),
        }
    }
}

/// Every byte of every file below `path`, without stretches of zeros.
pub(crate) fn all_bytes(path: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(all_bytes(&path));
        } else {
            // Files are made longer than what is in them.
            for chunk in std::fs::read(&path).unwrap().chunks(4096) {
                if chunk != &[0; 4096][..chunk.len()] {
                    all.extend(chunk);
                }
            }
        }
    }
    all
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A store in `data`, as the relay itself would open it.
pub(crate) fn store_in(data: &Path) -> FjallStore {
    std::fs::create_dir_all(data).unwrap();
    FjallStore::open(&data.join("store"), Limits::default().tombstone).unwrap()
}

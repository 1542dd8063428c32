//! The relay as a hyper service: which call a request is, how long it may take, how it is answered.
//!
//! 1. The body is read, within a size and a time.
//! 2. [`MailboxServer`] plans; the store carries out; [`MailboxServer`] words the answer.
//! 3. A read that found nothing waits for a change, as long as the caller said, and reads again.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use wire_core::mailbox::{
    Call, MAX_BATCH_BYTES, MAX_SLOT, MailboxServer, Origin, Plan, ReadSpec, Refusal, RelayId, Reply, Ticket,
};

use crate::clock::now;
use crate::key_file;
use crate::store::WakeKey;
use crate::{FjallStore, OpenError, RelayBody, RelayConfig, Store, StoreError, stream};

const KIB: usize = 1 << 10;
/// How long a client may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Rows of one step of the sweeper, and its pause when there is nothing to do.
const SWEEP_ROWS: u32 = 2000;
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// A relay over the store that comes with this crate.
pub type Relay = RelayService<FjallStore>;

/// Where a request comes from, as an extension of the request. [`serve`](crate::serve) sets it; who
/// mounts the service elsewhere may set it, or all clients share the limits of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The relay as a service: mount it in any hyper server, or use [`serve`](crate::serve).
///
/// Clones share everything. Who does not use [`serve`](crate::serve) runs
/// [`maintain`](Self::maintain) beside it, stops when that ends with an error, and calls
/// [`drain`](Self::drain) before stopping.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use wire_relay::{Relay, RelayConfig};
/// let relay = Relay::open(&RelayConfig::new("/var/lib/wire"))?;
/// tokio::spawn(relay.clone().maintain());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8770").await?;
/// loop {
///     let (socket, _) = listener.accept().await?;
///     let (socket, relay) = (TokioIo::new(socket), relay.clone());
///     tokio::spawn(async move {
///         hyper::server::conn::http1::Builder::new().serve_connection(socket, relay).await
///     });
/// }
/// # }
/// ```
pub struct RelayService<S = FjallStore> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    core: MailboxServer,
    store: S,
    hosts: Vec<String>,
    draining: watch::Sender<bool>,
}

impl RelayService<FjallStore> {
    /// Opens the relay in `config.data`: its key and its store, which are made at the first start.
    pub fn open(config: &RelayConfig) -> Result<Self, OpenError> {
        key_file::private_directory(&config.data)?;
        let store = config.data.join("store");
        key_file::belongs_to(&config.data, &store)?;
        // Before the store, so that no end of this process leaves a store without a key.
        key_file::load_or_make(&config.data, &mut entropy())?;
        let store = FjallStore::open(&store, config.limits.tombstone)?;
        Self::with_store(config, store)
    }
}

impl<S: Store> RelayService<S> {
    /// The same over another store; the key is in `config.data`.
    pub fn with_store(config: &RelayConfig, store: S) -> Result<Self, OpenError> {
        let rng = &mut entropy();
        key_file::private_directory(&config.data)?;
        let key = key_file::load_or_make(&config.data, rng)?;
        let occupied = store
            .occupied()
            .map_err(|e| OpenError::Corrupt { path: config.data.clone(), detail: e.to_string() })?;
        let core = MailboxServer::new(key, config.create.clone(), config.limits.clone(), occupied, rng);
        let (draining, _) = watch::channel(false);
        Ok(Self { shared: Arc::new(Shared { core, store, hosts: config.hosts.clone(), draining }) })
    }

    /// The relay's public key, by which clients know it.
    pub fn relay_id(&self) -> RelayId {
        self.shared.core.relay_id()
    }

    /// Ends what waits: long polls are answered, streams say bye. New ones end at once.
    pub fn drain(&self) {
        self.shared.draining.send_replace(true);
    }

    /// Removes what is acknowledged, expired or deleted, until [`drain`](Self::drain) is called. An error
    /// says that the store has failed and takes nothing more: open the relay again. While its disk is
    /// full the relay goes on with what it has, and refuses changes with [`Refusal::Full`]; the error
    /// comes when there is room again.
    pub async fn maintain(self) -> Result<(), StoreError> {
        let mut draining = self.shared.draining.subscribe();
        let mut told = false;
        loop {
            match self.shared.store.sweep(now(), SWEEP_ROWS).await {
                Ok(removed) if removed >= SWEEP_ROWS => continue,
                Ok(_) => told = false,
                Err(error) => {
                    if let Some(error) = self.shared.store.facts().ended {
                        return Err(error);
                    }
                    if !told {
                        tracing::warn!(%error, "nothing is swept");
                        told = true;
                    }
                }
            }
            tokio::select! {
                _ = draining.wait_for(|drain| *drain) => return Ok(()),
                () = tokio::time::sleep(SWEEP_PAUSE) => {}
            }
        }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<RelayBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send,
    {
        let path = request.uri().path();
        let reply = match (request.method(), path) {
            (&Method::GET, "/v1/relay") => self.prove(&request),
            (&Method::GET | &Method::HEAD, "/healthz") => Ok(plain(200)),
            (&Method::GET | &Method::HEAD, "/readyz") => {
                Ok(plain(if self.shared.store.facts().ready { 200 } else { 503 }))
            }
            (&Method::POST, "/v1/mb") => self.call(Call::Mailbox, MAX_BATCH_BYTES + 64 * KIB, request).await,
            (&Method::POST, "/v1/pair/allocate") => self.call(Call::Allocate, KIB, request).await,
            (&Method::POST, "/v1/pair/claim") => self.call(Call::Claim, KIB, request).await,
            (&Method::POST, "/v1/pair/put") => self.call(Call::Put, MAX_SLOT + KIB, request).await,
            (&Method::POST, "/v1/pair/get") => self.call(Call::Get, KIB, request).await,
            (&Method::POST, "/v1/pair/close") => self.call(Call::Close, KIB, request).await,
            (&Method::POST, "/v1/read") => match self.stream(request).await {
                Ok(body) => return response(200, None, body),
                Err(refusal) => Err(refusal),
            },
            _ => Err(Refusal::NotFound),
        };
        let Reply { status, retry_after, body } = reply.unwrap_or_else(|r| Reply::refused(r, now()));
        response(status, retry_after, RelayBody::whole(body))
    }

    fn prove<B>(&self, request: &Request<B>) -> Result<Reply, Refusal> {
        let challenge = request
            .uri()
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("c=")))
            .ok_or(Refusal::Malformed)?;
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => request.headers().get(HOST).and_then(|h| h.to_str().ok()).ok_or(Refusal::Malformed)?,
        };
        let host = host.to_ascii_lowercase();
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let hosts = &self.shared.hosts;
        if !hosts.is_empty() && !hosts.iter().any(|known| *known == host || known == name) {
            return Err(Refusal::NotFound);
        }
        self.shared.core.prove(now(), challenge, &host)
    }

    async fn call<B>(&self, call: Call, max: usize, request: Request<B>) -> Result<Reply, Refusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send,
    {
        let origin = origin(&request);
        let body = read_body(request, max).await?;
        let Shared { core, store, .. } = &*self.shared;
        let plan = core.plan(now(), origin, call, &body, &mut entropy())?;
        drop(body);
        match plan {
            Plan::Apply(ticket, op) => {
                let outcome = store.apply(op).await;
                Ok(core.finish(now(), ticket, outcome.map_err(Refusal::from)))
            }
            Plan::Read(ticket, spec, wait_ms) => Ok(self.read(ticket, spec, wait_ms).await),
        }
    }

    async fn read(&self, ticket: Ticket, spec: ReadSpec, wait_ms: u32) -> Reply {
        let Shared { core, store, draining, .. } = &*self.shared;
        let outcome = if wait_ms == 0 {
            store.read(spec).await
        } else {
            let deadline = Instant::now() + Duration::from_millis(u64::from(wait_ms));
            let mut draining = draining.subscribe();
            let mut changes = std::pin::pin!(store.watch(vec![WakeKey::from(&spec)]));
            loop {
                let outcome = store.read(spec.clone().at(now())).await;
                if !matches!(&outcome, Ok(found) if found.is_empty()) {
                    break outcome;
                }
                tokio::select! {
                    _ = next(&mut changes) => {}
                    () = sleep_until(deadline) => break outcome,
                    _ = draining.wait_for(|drain| *drain) => break outcome,
                }
            }
        };
        core.finish(now(), ticket, outcome.map_err(Refusal::from))
    }

    async fn stream<B>(&self, request: Request<B>) -> Result<RelayBody, Refusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send,
    {
        let body = read_body(request, 1024 * KIB).await?;
        let shared = Arc::clone(&self.shared);
        // A signature for each of many mailboxes is more than an executor's thread should be held for.
        let planned = tokio::task::spawn_blocking(move || shared.core.plan_read(now(), &body)).await;
        let plan = planned.map_err(|_| Refusal::from(StoreError::Failed))??;
        let (chunks, receiver) = tokio::sync::mpsc::channel(4);
        let service = self.clone();
        let draining = self.shared.draining.subscribe();
        let driver = async move { stream::run(&service.shared.store, plan, chunks, draining).await };
        Ok(RelayBody::stream(driver, receiver))
    }
}

impl<S> Clone for RelayService<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S> std::fmt::Debug for RelayService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayService").field("relay_id", &self.shared.core.relay_id()).finish_non_exhaustive()
    }
}

impl<S: Store, B> hyper::service::Service<Request<B>> for RelayService<S>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
{
    type Response = Response<RelayBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<RelayBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

/// The next item of a stream of wake-ups.
pub(crate) async fn next<T: Stream>(stream: &mut Pin<&mut T>) -> Option<T::Item> {
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// Reads at most `max` bytes. Of what is too large as much again is read and thrown away, so that
/// whoever sends it hears the refusal and not a closed connection.
async fn read_body<B>(request: Request<B>, max: usize) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
{
    let body = request.into_body();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut body = std::pin::pin!(body);
    let read = async {
        let mut bytes = BytesMut::with_capacity(announced.min(max));
        let mut total = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::Malformed)?.into_data() else { continue };
            total += data.len();
            if total <= max {
                bytes.extend_from_slice(&data);
            } else if total > 2 * max {
                break;
            }
        }
        if total <= max { Ok(bytes.freeze()) } else { Err(Refusal::TooLarge) }
    };
    timeout(BODY_TIME, read).await.unwrap_or(Err(Refusal::Malformed))
}

fn origin<B>(request: &Request<B>) -> Origin {
    match request.extensions().get::<Peer>().map(|Peer(address)| address.ip()) {
        Some(IpAddr::V4(v4)) => Origin::v4(v4.octets()),
        Some(IpAddr::V6(v6)) => Origin::v6(v6.octets()),
        None => Origin::UNKNOWN,
    }
}

fn response(status: u16, retry_after: Option<u32>, body: RelayBody) -> Response<RelayBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn plain(status: u16) -> Reply {
    Reply { status, retry_after: None, body: Vec::new() }
}

fn entropy() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

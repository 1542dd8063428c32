//! One request on one connection.
//!
//! 1. [`send`] connects, asks, and waits for the answer to begin, all within one limit of time. While an
//!    upload moves, the limit begins anew.
//! 2. An answer that is no success becomes an error; an [`Answer`] is one that is.
//! 3. Its body is read whole up to a cap, or part by part, or left behind for the bare stream of an upgrade.
//!
//! Nothing is pooled: a connection that serves one request cannot have died since the last one, and dropping
//! a future or an answer at any point closes it, which is all that cancelling takes.

#![expect(clippy::disallowed_methods, reason = "the sockets, tasks and timers of the engine's client")]

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::io::ReaderStream;

use super::super::error::EngineError;
use super::endpoint::Endpoint;
use super::fault;
use super::target::Target;

/// The most bytes that a connection buffers; also the longest head of an answer.
const BUFFER: usize = 64 << 10;

/// The longest answer that is read whole: an inspect is some KiB, a list of 10,000 containers some MiB.
const WHOLE: usize = 32 << 20;

/// The longest refusal that is read.
const REFUSAL: usize = 64 << 10;

/// One part of an upload.
const PART: usize = 64 << 10;

/// A request.
pub(super) struct Call {
    pub(super) verb: &'static str,
    pub(super) limit: Duration,
    method: Method,
    target: Target,
    body: Payload,
    upgrade: bool,
}

enum Payload {
    Nothing,
    Json(Vec<u8>),
    Tar(Box<dyn AsyncRead + Send>),
}

impl Call {
    pub(super) const fn new(method: Method, verb: &'static str, target: Target, limit: Duration) -> Self {
        Self { verb, limit, method, target, body: Payload::Nothing, upgrade: false }
    }

    /// Sends this.
    pub(super) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Payload::Json(body.to_string().into_bytes());
        self
    }

    /// Sends an archive.
    pub(super) fn tar(mut self, reader: impl AsyncRead + Send + 'static) -> Self {
        self.body = Payload::Tar(Box::new(reader));
        self
    }

    /// Asks for the bare connection.
    pub(super) const fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }
}

/// Sends it. `version` stands before the path: empty, or `/v1.41`.
pub(super) async fn send(endpoint: &Endpoint, version: &str, call: Call) -> Result<Answer, EngineError> {
    let Call { verb, limit, method, target, body, upgrade } = call;
    let moved = Arc::new(AtomicU64::new(0));
    let request = request(endpoint, version, method, &target, body, upgrade, &moved)?;
    let late = || EngineError::Timeout { verb };

    let begin = async {
        let socket = connect(endpoint).await.map_err(|error| fault::not_connected(endpoint, error))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(fault::broken)?;
        let driver = Driver(tokio::spawn(async move {
            // A failure reaches the caller through its request or its body.
            let _ = connection.with_upgrades().await;
        }));
        let response = sender.send_request(request).await.map_err(fault::broken)?;
        Ok(Answer { verb, response, driver })
    };
    let mut begin = pin!(begin);
    let answer = loop {
        let before = moved.load(Ordering::Relaxed);
        match timeout(limit, &mut begin).await {
            Ok(answer) => break answer?,
            Err(_) if moved.load(Ordering::Relaxed) != before => {}
            Err(_) => return Err(late()),
        }
    };

    let status = answer.status();
    tracing::trace!(verb, status = status.as_u16(), "the engine answered");
    if status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED) {
        return Ok(answer);
    }
    let words = timeout(limit, answer.read(REFUSAL)).await.map_err(|_| late())??;
    Err(fault::refused(status, &words))
}

/// An answer that is a success, and its connection.
#[derive(Debug)]
pub(super) struct Answer {
    verb: &'static str,
    response: Response<Incoming>,
    driver: Driver,
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The whole answer as JSON. `idle` is the longest pause within it.
    pub(super) async fn json<T: DeserializeOwned>(self, idle: Option<Duration>) -> Result<T, EngineError> {
        let verb = self.verb;
        let mut body = self.body(idle);
        let mut whole = Vec::new();
        while let Some(part) = body.next().await? {
            if whole.len() + part.len() > WHOLE {
                return Err(EngineError::Protocol(format!("the answer to {verb} is over {WHOLE} bytes")));
            }
            whole.extend_from_slice(&part);
        }
        serde_json::from_slice(&whole).map_err(|error| fault::not_json(verb, &error))
    }

    /// The answer part by part.
    pub(super) fn body(self, idle: Option<Duration>) -> Body {
        Body { verb: self.verb, idle, incoming: self.response.into_body(), _driver: self.driver }
    }

    /// The bare connection after a 101, with what was read of it already.
    pub(super) async fn upgraded(self) -> Result<(Socket, Bytes), EngineError> {
        let upgraded = hyper::upgrade::on(self.response).await.map_err(fault::broken)?;
        match upgraded.downcast::<TokioIo<Socket>>() {
            Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
            Err(_) => Err(EngineError::Protocol("an upgrade of another connection".to_owned())),
        }
    }

    /// The beginning of the answer.
    async fn read(self, cap: usize) -> Result<Vec<u8>, EngineError> {
        let mut body = self.body(None);
        let mut read = Vec::new();
        while let Some(part) = body.next().await? {
            let room = cap - read.len();
            read.extend_from_slice(part.get(..room).unwrap_or(&part));
            if part.len() >= room {
                break;
            }
        }
        Ok(read)
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Body {
    verb: &'static str,
    idle: Option<Duration>,
    incoming: Incoming,
    _driver: Driver,
}

impl Body {
    /// The next part, `None` at its end. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        let verb = self.verb;
        let idle = self.idle;
        let part = poll_fn(|cx| self.poll(cx));
        match idle {
            None => part.await,
            Some(idle) => timeout(idle, part).await.map_err(|_| EngineError::Timeout { verb })?,
        }
    }

    /// Like [`next`](Self::next), without a limit of time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, EngineError>> {
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)).transpose().map_err(fault::broken)? {
                None => return Poll::Ready(Ok(None)),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
            }
        }
    }
}

/// The task that moves a connection's bytes; ends with its owner.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection to an engine.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

async fn connect(endpoint: &Endpoint) -> io::Result<Socket> {
    match endpoint {
        Endpoint::Unix(path) => loop {
            match UnixStream::connect(path).await {
                // The engine hangs and its queue of connections is full: the caller's limit decides.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(Duration::from_millis(20)).await;
                }
                other => return other.map(Socket::Unix),
            }
        },
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            // A stream may be silent for hours; this ends it when the other machine is gone.
            rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
            rustix::net::sockopt::set_tcp_keepidle(&stream, Duration::from_secs(30))?;
            rustix::net::sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(10))?;
            rustix::net::sockopt::set_tcp_keepcnt(&stream, 3)?;
            Ok(Socket::Tcp(stream))
        }
    }
}

fn request(
    endpoint: &Endpoint,
    version: &str,
    method: Method,
    target: &Target,
    body: Payload,
    upgrade: bool,
    moved: &Arc<AtomicU64>,
) -> Result<Request<UnsyncBoxBody<Bytes, io::Error>>, EngineError> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{version}{}", target.as_str()))
        .header(header::HOST, endpoint.authority());
    if upgrade {
        request = request.header(header::CONNECTION, "Upgrade").header(header::UPGRADE, "tcp");
    }
    let body = match body {
        Payload::Nothing => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Payload::Json(bytes) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
        }
        Payload::Tar(reader) => {
            request = request.header(header::CONTENT_TYPE, "application/x-tar");
            let moved = Arc::clone(moved);
            let parts = ReaderStream::with_capacity(Box::into_pin(reader), PART).map(move |part| {
                moved.fetch_add(1, Ordering::Relaxed);
                part.map(Frame::data)
            });
            BodyExt::boxed_unsync(StreamBody::new(parts))
        }
    };
    request.body(body).map_err(|_| EngineError::BadRequest("a request that is no HTTP".to_owned()))
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! The real transport: HTTP/1.1 and HTTP/2 over pooled connections.
//!
//! 1. The scheme and the proxy settings choose one of three clients: plain, TLS, TLS through a proxy.
//! 2. The client takes a pooled connection or opens one: resolve, filter by [`Reach`](super::relay_url::Reach), connect, TLS, ALPN.
//! 3. The answer is read up to the limit of the request, or handed out chunk by chunk.
//!
//! TLS is set up by the first `https` request, so a process that only talks to loopback never loads roots.

#![expect(clippy::disallowed_methods, reason = "the adapter of the network and its timers")]

mod client;
mod failure;
mod proxy;
mod resolve;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::{Sleep, timeout};

pub use self::proxy::ProxySettings;

use self::client::Clients;
use super::transport::{BoxFuture, HttpRequest, HttpResponse, HttpStream, Method, Transport, TransportError};

/// A stream that is silent for this long is given up: relays send an empty frame every 20 s.
const STREAM_IDLE: Duration = Duration::from_secs(45);

/// [`Transport`] over TCP.
///
/// TLS 1.3 with the web's roots, TCP_NODELAY, no redirects, no cookies, no identifying headers. It must
/// be used inside a tokio runtime with time and I/O enabled; clones share their connections.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    clients: Clients,
}

impl HttpTransport {
    /// A transport with an empty pool. [`TransportError::Unusable`] if the proxy settings make no sense.
    pub fn new(proxy: &ProxySettings) -> Result<Self, TransportError> {
        Ok(Self { clients: Clients::new(proxy.matcher()?, Box::new(client::web_roots)) })
    }

    #[cfg(test)]
    fn with_tls(proxy: &ProxySettings, tls: client::TlsSetup) -> Result<Self, TransportError> {
        Ok(Self { clients: Clients::new(proxy.matcher()?, tls) })
    }

    async fn send(&self, request: HttpRequest) -> Result<Response<Incoming>, TransportError> {
        if !request.relay.is_within(request.reach) {
            return Err(TransportError::Private { host: request.relay.host().to_owned() });
        }
        let uri: Uri = format!("{}{}", request.relay, request.path)
            .parse()
            .map_err(|_| TransportError::Unusable { what: "request path" })?;
        let mut head = Request::builder().uri(uri);
        head = match request.method {
            Method::Get => head.method(http::Method::GET),
            Method::Post => head.method(http::Method::POST).header(header::CONTENT_TYPE, "application/cbor"),
        };
        let full =
            head.body(Full::new(request.body)).map_err(|_| TransportError::Unusable { what: "request" })?;
        self.clients
            .request(&request.relay, request.reach, full)
            .await
            .map_err(|e| failure::of_request(request.relay.host(), &e))
    }
}

impl Transport for HttpTransport {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let (host, limit, time) = (request.relay.host().to_owned(), request.max_answer, request.timeout);
            let exchange = async {
                let answer = self.send(request).await?;
                let (status, retry_after) = head_of(&answer);
                let body = read(answer.into_body(), limit, &host).await?;
                Ok(HttpResponse { status, retry_after, body })
            };
            let Ok(result) = timeout(time, exchange).await else {
                return Err(TransportError::Timeout { host });
            };
            result
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            let (host, time) = (request.relay.host().to_owned(), request.timeout);
            let Ok(answer) = timeout(time, self.send(request)).await else {
                return Err(TransportError::Timeout { host });
            };
            let answer = answer?;
            let (status, retry_after) = head_of(&answer);
            let body = Box::pin(Chunks::new(answer.into_body(), host));
            Ok(HttpStream { status, retry_after, body })
        })
    }
}

fn head_of(answer: &Response<Incoming>) -> (u16, Option<Duration>) {
    (answer.status().as_u16(), retry_after(answer.headers()))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(body: Incoming, limit: usize, host: &str) -> Result<Bytes, TransportError> {
    let too_large = || TransportError::TooLarge { host: host.to_owned(), limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(all) => Ok(all.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => Err(too_large()),
        Err(e) => Err(failure::of_body(host, &*e)),
    }
}

/// The data frames of a body, with an error where it falls silent.
struct Chunks {
    body: Incoming,
    idle: Pin<Box<Sleep>>,
    host: String,
    over: bool,
}

impl Chunks {
    fn new(body: Incoming, host: String) -> Self {
        Self { body, idle: Box::pin(tokio::time::sleep(STREAM_IDLE)), host, over: false }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing that relays use.
                    let Ok(chunk) = frame.into_data() else { continue };
                    this.idle.as_mut().reset(tokio::time::Instant::now() + STREAM_IDLE);
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Poll::Ready(Some(Err(e))) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(failure::of_body(&this.host, &e))));
                }
                Poll::Ready(None) => {
                    this.over = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => break,
            }
        }
        if this.idle.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.over = true;
        Poll::Ready(Some(Err(TransportError::Timeout { host: this.host.clone() })))
    }
}

#[cfg(test)]
mod tests;

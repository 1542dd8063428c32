//! The seam between the agent and the network: one call, one stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use std::{fmt, future::Future};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::relay_url::{Reach, RelayUrl};

/// A future that a transport hands out.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The chunks of a response body as they arrive.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// What the agent needs of a network. [`super::http::HttpTransport`] is the real one.
///
/// Every request is idempotent, so a caller may repeat any that failed. Dropping a future abandons the
/// request; whether it took effect is then unknown.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request` and reads the whole answer. Any HTTP status is an answer; redirects are not followed.
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>>;

    /// Sends `request` and hands out the body as it arrives, for as long as the relay goes on.
    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>>;
}

/// The HTTP methods that relays know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// No body.
    Get,
    /// A CBOR body.
    Post,
}

/// One request. `Debug` shows where it goes and how large it is, not what it says.
#[derive(Clone)]
pub struct HttpRequest {
    /// How.
    pub method: Method,
    /// To which relay.
    pub relay: RelayUrl,
    /// From the slash on, with the query: `/v1/mb`.
    pub path: String,
    /// The body, empty for [`Method::Get`].
    pub body: Bytes,
    /// Until the whole answer is there, connecting included; for a stream until its head is.
    pub timeout: Duration,
    /// Most bytes of answer that are taken; a stream has no such limit.
    pub max_answer: usize,
    /// Where the connection may end.
    pub reach: Reach,
}

/// One whole answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where the relay sent it; dates are not understood.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// An answer whose body goes on.
pub struct HttpStream {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where the relay sent it.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: BodyStream,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection, or it broke before the answer was complete.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// `host[:port]` of the relay.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The proxy of the environment refused or failed.
    #[error("cannot reach {host} through the proxy: {reason}")]
    Proxy {
        /// `host[:port]` of the relay.
        host: String,
        /// What the proxy said.
        reason: String,
    },
    /// No answer in the time given.
    #[error("{host} did not answer in time")]
    Timeout {
        /// `host[:port]` of the relay.
        host: String,
    },
    /// The relay's certificate or its TLS is not acceptable.
    #[error("no secure connection to {host}: {reason}")]
    Tls {
        /// `host[:port]` of the relay.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The answer does not fit the limit of the request.
    #[error("{host} answered more than {limit} bytes")]
    TooLarge {
        /// `host[:port]` of the relay.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A peer named a relay whose name leads into a private network.
    #[error("{host} is on a private network")]
    Private {
        /// `host[:port]` of the relay.
        host: String,
    },
    /// A request or a proxy setting that cannot be sent.
    #[error("unusable {what}")]
    Unusable {
        /// Which part.
        what: &'static str,
    },
}

impl TransportError {
    /// Whether the same request may succeed later without anyone changing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Proxy { .. } | Self::Timeout { .. } => true,
            Self::Tls { .. } | Self::TooLarge { .. } | Self::Private { .. } | Self::Unusable { .. } => false,
        }
    }
}

impl HttpStream {
    /// The next chunk, `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        poll_fn(|cx| self.body.as_mut().poll_next(cx)).await
    }

    /// Reads the rest as one answer of at most `limit` bytes, as for an error instead of a stream.
    pub async fn collect(mut self, host: &str, limit: usize) -> Result<HttpResponse, TransportError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > limit {
                return Err(TransportError::TooLarge { host: host.to_owned(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status: self.status, retry_after: self.retry_after, body: body.freeze() })
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "HttpRequest({:?} {}{path}, {} bytes)", self.method, self.relay, self.body.len())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpStream({})", self.status)
    }
}

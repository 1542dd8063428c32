//! The calls of the relay that are one question and one answer: who it is, and the rendezvous.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::clock::Clock;
use super::engine::KnownRelay;
use super::error::Error;
use super::relay_url::{Reach, RelayUrl};
use super::transport::{HttpRequest, Method, Transport};
use crate::encoding::Malformed;
use crate::entropy::os_rng;
use crate::mailbox::client::MAX_CLOCK_OFFSET_MS;
use crate::mailbox::{
    Allocate, Allocated, Challenge, Claim, Claimed, Close, Empty, Get, Got, MAILBOX_PATH, MAX_ENVELOPE, Page,
    Put, Refusal, Refused, RelayProof, SignedRequest,
};

/// How long a call may take beside what it asks the relay to wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// Answers of the rendezvous hold one slot at most.
const MAX_ANSWER: usize = 64 << 10;
/// A page of one envelope, the largest that there is.
const MAX_PAGE: usize = MAX_ENVELOPE + 256;

/// One relay, as the pairing speaks to it.
#[derive(Clone, Debug)]
pub(crate) struct RelayApi {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) url: RelayUrl,
    pub(crate) reach: Reach,
}

impl RelayApi {
    /// Lets the relay prove its key and tell its time.
    pub(crate) async fn identify(&self, clock: &Clock) -> Result<KnownRelay, Error> {
        let challenge = Challenge::random(&mut os_rng());
        let path = format!("/v1/relay?c={}", challenge.to_text());
        let (status, body) = self.exchange(Method::Get, path, Bytes::new(), Duration::ZERO).await?;
        let not_a_relay = || Error::NotARelay { url: self.url.as_str().to_owned() };
        if status != 200 {
            return Err(not_a_relay());
        }
        let proof = RelayProof::from_bytes(&body).map_err(|_| not_a_relay())?;
        let info = proof.verify(&challenge, self.url.host()).map_err(|_| not_a_relay())?;
        let offset_ms = info.time.signed_since(clock.now());
        if offset_ms.saturating_abs() > MAX_CLOCK_OFFSET_MS {
            return Err(Error::ClockSkew { url: self.url.as_str().to_owned(), offset_ms });
        }
        Ok(KnownRelay { id: info.relay_id, offset_ms })
    }

    pub(crate) async fn allocate(&self, call: &Allocate) -> Result<Allocated, Error> {
        self.call("allocate", call.to_bytes(), Duration::ZERO, Allocated::from_bytes).await
    }

    pub(crate) async fn claim(&self, call: &Claim) -> Result<Claimed, Error> {
        self.call("claim", call.to_bytes(), Duration::ZERO, Claimed::from_bytes).await
    }

    pub(crate) async fn put(&self, call: &Put) -> Result<(), Error> {
        self.call("put", call.to_bytes(), Duration::ZERO, Empty::from_bytes).await.map(|_| ())
    }

    pub(crate) async fn get(&self, call: &Get) -> Result<Got, Error> {
        let wait = Duration::from_millis(u64::from(call.wait_ms));
        self.call("get", call.to_bytes(), wait, Got::from_bytes).await
    }

    pub(crate) async fn close(&self, call: &Close) -> Result<(), Error> {
        self.call("close", call.to_bytes(), Duration::ZERO, Empty::from_bytes).await.map(|_| ())
    }

    /// One operation on a mailbox whose answer does not matter beyond its success.
    pub(crate) async fn mailbox(&self, request: &SignedRequest) -> Result<(), Error> {
        let body = Bytes::from(request.to_bytes());
        let (status, body) =
            self.exchange(Method::Post, MAILBOX_PATH.to_owned(), body, Duration::ZERO).await?;
        if status < 300 { Ok(()) } else { Err(self.refused(&body)) }
    }

    /// One page of a mailbox.
    pub(crate) async fn poll(&self, request: &SignedRequest) -> Result<Page, Error> {
        let body = Bytes::from(request.to_bytes());
        let path = MAILBOX_PATH.to_owned();
        let (status, body) = self.exchange_of(Method::Post, path, body, Duration::ZERO, MAX_PAGE).await?;
        if status >= 300 {
            return Err(self.refused(&body));
        }
        Page::from_bytes(&body).map_err(|_| Error::NotARelay { url: self.url.as_str().to_owned() })
    }

    async fn call<T>(
        &self,
        verb: &str,
        body: Vec<u8>,
        wait: Duration,
        parse: impl FnOnce(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let path = format!("/v1/pair/{verb}");
        let (status, body) = self.exchange(Method::Post, path, Bytes::from(body), wait).await?;
        if status >= 300 {
            return Err(self.refused(&body));
        }
        parse(&body).map_err(|_| Error::NotARelay { url: self.url.as_str().to_owned() })
    }

    fn refused(&self, body: &[u8]) -> Error {
        match Refused::from_bytes(body) {
            Ok(Refused { refusal, .. }) => Error::Relay(refusal),
            Err(_) => Error::NotARelay { url: self.url.as_str().to_owned() },
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: String,
        body: Bytes,
        wait: Duration,
    ) -> Result<(u16, Bytes), Error> {
        self.exchange_of(method, path, body, wait, MAX_ANSWER).await
    }

    async fn exchange_of(
        &self,
        method: Method,
        path: String,
        body: Bytes,
        wait: Duration,
        max_answer: usize,
    ) -> Result<(u16, Bytes), Error> {
        let request = HttpRequest {
            method,
            relay: self.url.clone(),
            path,
            body,
            timeout: PATIENCE + wait,
            max_answer,
            reach: self.reach,
        };
        let response = self.transport.call(request).await?;
        Ok((response.status, response.body))
    }
}

impl Error {
    /// What a refusal of the rendezvous means to whoever entered or made a code.
    pub(crate) fn at_rendezvous(self) -> Self {
        match self {
            Self::Relay(Refusal::NotFound) => Self::CodeExpired,
            Self::Relay(Refusal::Taken) => Self::CodeUsed,
            other => other,
        }
    }
}

//! A relay that has no room, or whose clock is elsewhere: the cause is known, nothing goes out by luck,
//! and what can be set right is set right at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::SystemTime;

use crate::agents::{TestRelay, pair, soon, until};
use wire_core::agent::Delivery;
use wire_core::agent::config::Config;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::mailbox::{
    Challenge, Incarnation, MAILBOX_PATH, Operation, Posted, Refusal, Refused, RelayKeyPair, RelayProof,
    SignedRequest, Verdict,
};
use wire_core::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;

/// The network, at whose end the relay's clock or disk can be another.
struct Moody {
    inner: HttpTransport,
    key: RelayKeyPair,
    ahead_ms: AtomicI64,
    full: AtomicBool,
}

impl Moody {
    fn new(relay: &TestRelay, config: &Config) -> Arc<Self> {
        let seed = std::fs::read(relay.data.path().join("relay.key")).unwrap();
        Arc::new(Self {
            inner: HttpTransport::new(config.proxy()).unwrap(),
            key: RelayKeyPair::from_seed(&seed.try_into().unwrap()),
            ahead_ms: AtomicI64::new(0),
            full: AtomicBool::new(false),
        })
    }

    fn set_clock(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::SeqCst);
    }

    fn is_elsewhere(&self) -> bool {
        self.ahead_ms.load(Ordering::SeqCst) != 0
    }

    fn time(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let now = Timestamp::from_millis(u64::try_from(now).unwrap());
        now.offset_millis(self.ahead_ms.load(Ordering::SeqCst))
    }

    /// As the relay would answer with this clock.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let time = self.time();
        let (status, body) = if let Some(challenge) = request.path.strip_prefix("/v1/relay?c=") {
            let challenge = Challenge::from_text(challenge).unwrap();
            (200, RelayProof::sign(&self.key, &challenge, request.relay.host(), time).to_bytes())
        } else {
            let signed = SignedRequest::from_bytes(&request.body).unwrap();
            match signed.operation().unwrap() {
                _ if signed.time().signed_since(time).abs() > 120_000 => refused(Refusal::Skew, time),
                // Whoever signs with a time so far off must not be served by luck.
                Operation::Post { envelopes }
                    if self.ahead_ms.load(Ordering::SeqCst).abs() > 24 * HOUR_MS =>
                {
                    let posted = Posted {
                        time,
                        incarnation: Incarnation::from_bytes([7; 16]),
                        verdicts: vec![Verdict::Stored; envelopes.len()],
                        expires_at: time.offset_millis(24 * HOUR_MS),
                    };
                    (200, posted.to_bytes())
                }
                Operation::Create { .. }
                | Operation::Post { .. }
                | Operation::Poll { .. }
                | Operation::Ack { .. }
                | Operation::Epoch { .. }
                | Operation::Delete => refused(Refusal::Unavailable { retry_after: 1 }, time),
            }
        };
        HttpResponse { status, retry_after: None, body: body.into() }
    }
}

fn refused(refusal: Refusal, time: Timestamp) -> (u16, Vec<u8>) {
    (refusal.status(), Refused { refusal, time }.to_bytes())
}

fn is_post(request: &HttpRequest) -> bool {
    request.path == MAILBOX_PATH
        && SignedRequest::from_bytes(&request.body)
            .is_ok_and(|r| matches!(r.operation(), Ok(Operation::Post { .. })))
}

impl fmt::Debug for Moody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moody")
    }
}

impl Transport for Moody {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            if self.is_elsewhere() {
                return Ok(self.answer(&request));
            }
            if self.full.load(Ordering::SeqCst) && is_post(&request) {
                let (status, body) = refused(Refusal::Full, self.time());
                return Ok(HttpResponse { status, retry_after: None, body: body.into() });
            }
            self.inner.call(request).await
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            if self.is_elsewhere() {
                std::future::pending::<()>().await;
            }
            self.inner.stream(request).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_two_days_off_sends_nothing_and_is_told() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = homes.0.path();
    let network = Moody::new(&relay, &relay.config(home, "alice"));
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    soon(pair(&alice, &bob)).await;
    soon(alice.drained()).await.unwrap();
    alice.close().await;
    let mut last = None;
    for days in [2, -2, 2, -2] {
        network.set_clock(days * 24 * HOUR_MS);
        let alice = relay.agent_over(home, "alice", network.clone()).await;
        let to_bob = alice.peer("bob").await.unwrap();
        let sent = to_bob.send("too early or too late").await.unwrap();
        let sent = soon(alice.relayed(&sent.id)).await.unwrap();
        assert_eq!(sent.state, Delivery::Queued);
        let trouble = alice.trouble_with(&to_bob.info().await.unwrap()).unwrap();
        assert_eq!((trouble.code, trouble.retryable), ("clock_skew", false), "{trouble:?}");
        assert!(trouble.hint.unwrap().contains("clock"), "{trouble:?}");
        assert_eq!(soon(alice.synced()).await.unwrap_err().code(), "clock_skew");
        last = Some(sent.id);
        alice.close().await;
    }
    network.set_clock(0);
    let alice = relay.agent_over(home, "alice", network).await;
    until(&alice, &last.unwrap(), Delivery::Received).await;
}

/// The clock was an hour off when the relay's was compared with it, and was put right since.
#[tokio::test(flavor = "multi_thread")]
async fn an_offset_of_yesterday_keeps_nothing_from_being_read_or_sent() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = homes.0.path();
    let network = Moody::new(&relay, &relay.config(home, "alice"));
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (_, to_alice) = soon(pair(&alice, &bob)).await;
    soon(alice.drained()).await.unwrap();
    alice.close().await;
    for ahead in [HOUR_MS, -HOUR_MS] {
        network.set_clock(ahead);
        let alice = relay.agent_over(home, "alice", network.clone()).await;
        soon(alice.check_relay()).await.unwrap();
        alice.close().await;
        network.set_clock(0);

        let sent = to_alice.send("an hour just works").await.unwrap();
        until(&bob, &sent.id, Delivery::Relayed).await;
        let alice = relay.agent_over(home, "alice", network.clone()).await;
        soon(alice.synced()).await.unwrap();
        let waiting = alice.waiting(10).await.unwrap();
        assert_eq!(waiting.last().unwrap().id(), sent.id);
        let sent = alice.peer("bob").await.unwrap().send("and so does this").await.unwrap();
        assert!(soon(alice.relayed(&sent.id)).await.unwrap().state >= Delivery::Relayed);
        alice.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_room_says_so_and_gets_it_when_there_is_room() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = homes.0.path();
    let network = Moody::new(&relay, &relay.config(home, "alice"));
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    soon(alice.drained()).await.unwrap();
    network.full.store(true, Ordering::SeqCst);
    let sent = to_bob.send("no room").await.unwrap();
    assert_eq!(soon(alice.relayed(&sent.id)).await.unwrap().state, Delivery::Queued);
    let trouble = alice.trouble_with(&to_bob.info().await.unwrap()).unwrap();
    assert!(trouble.message.contains("no room"), "{trouble:?}");
    assert!(trouble.retryable && trouble.hint.is_some(), "{trouble:?}");
    alice.close().await;

    // What was refused yesterday is tried again by the next process, whose word it waits for.
    network.full.store(false, Ordering::SeqCst);
    let alice = relay.agent_over(home, "alice", network).await;
    let later = alice.peer("bob").await.unwrap().send("room").await.unwrap();
    assert!(soon(alice.relayed(&later.id)).await.unwrap().state >= Delivery::Relayed);
    assert_eq!(alice.trouble_with(&alice.peers().await.unwrap()[0]), None);
}

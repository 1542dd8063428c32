//! A crash of either side after any request of a pairing by a typed code: nobody is told `paired`
//! without proof, and when both are back they are paired both or neither.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::agents::{TestRelay, soon};
use tokio::sync::Notify;
use wire_core::Agent;
use wire_core::agent::PeerState;
use wire_core::agent::config::Config;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};

/// Carries so many pairing requests, and then nothing at all: the process is as good as dead. The last
/// one is carried out or not, but its answer never comes.
struct Dying {
    inner: HttpTransport,
    left: AtomicUsize,
    last_is_carried: bool,
    dead: Arc<Notify>,
}

impl Dying {
    fn after(config: &Config, requests: usize, last_is_carried: bool) -> (Arc<Self>, Arc<Notify>) {
        let dead = Arc::new(Notify::new());
        let inner = HttpTransport::new(config.proxy()).unwrap();
        let left = AtomicUsize::new(requests);
        (Arc::new(Self { inner, left, last_is_carried, dead: dead.clone() }), dead)
    }

    fn lives(&self) -> bool {
        self.left.load(Ordering::SeqCst) > 0
    }
}

impl fmt::Debug for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dying")
    }
}

impl Transport for Dying {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            if !self.lives() {
                return std::future::pending().await;
            }
            if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                if self.last_is_carried {
                    let _ = self.inner.call(request).await;
                }
                self.dead.notify_one();
                return std::future::pending().await;
            }
            self.inner.call(request).await
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            if self.lives() { self.inner.stream(request).await } else { std::future::pending().await }
        })
    }
}

async fn stage(agent: &Agent) -> Option<PeerState> {
    agent.peers().await.unwrap().first().map(|p| p.state)
}

/// Waits until both sides agree: paired both, or nobody has anything that could still complete.
async fn settle(alice: &Agent, bob: &Agent) -> (Option<PeerState>, Option<PeerState>) {
    let (mut a, mut b) = (alice.changes(), bob.changes());
    soon(async {
        loop {
            a.mark_unchanged();
            b.mark_unchanged();
            let now = (stage(alice).await, stage(bob).await);
            match now {
                (Some(PeerState::Paired), Some(PeerState::Paired)) => return now,
                // One side has nothing: the other waits for a HELLO that never comes, until it expires.
                (None, _) | (_, None) => return now,
                _ => {}
            }
            tokio::select! {
                _ = a.changed() => {}
                _ = b.changed() => {}
            }
        }
    })
    .await
}

async fn crash_of(side: &str, requests: usize, last_is_carried: bool) -> bool {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a_home, b_home) = (homes.0.path(), homes.1.path());
    let config = relay.config(a_home, "alice");
    let (dying, dead) = Dying::after(&config, requests, last_is_carried);
    let (alice, bob) = if side == "a" {
        (relay.agent_over(a_home, "alice", dying).await, relay.agent(b_home, "bob").await)
    } else {
        (relay.agent(a_home, "alice").await, relay.agent_over(b_home, "bob", dying).await)
    };
    let run = async {
        let offer = alice.offer().await?;
        let code = offer.code();
        tokio::try_join!(offer.paired(), bob.join(&code))
    };
    let survived = tokio::select! {
        outcome = soon(run) => outcome.is_ok(),
        () = dead.notified() => false,
    };
    // Whoever is told `paired` has the other's signed HELLO, so the other has committed.
    let (a, b) = (stage(&alice).await, stage(&bob).await);
    assert!(a != Some(PeerState::Paired) || b.is_some(), "{side} {requests}: {a:?} {b:?}");
    assert!(b != Some(PeerState::Paired) || a.is_some(), "{side} {requests}: {a:?} {b:?}");
    drop((alice, bob));

    let alice = relay.agent(a_home, "alice").await;
    let bob = relay.agent(b_home, "bob").await;
    let (a, b) = settle(&alice, &bob).await;
    let paired = |s| s == Some(PeerState::Paired);
    assert_eq!(paired(a), paired(b), "{side} {requests} {last_is_carried}: {a:?} {b:?}");
    survived
}

async fn every_crash_of(side: &str) {
    for last_is_carried in [false, true] {
        // Far more than a pairing needs; the first run that survives has seen them all.
        for requests in 1..60 {
            if crash_of(side, requests, last_is_carried).await {
                assert!(requests > 5, "a pairing takes more requests than that");
                break;
            }
            assert!(requests < 59);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_side_that_made_the_code() {
    every_crash_of("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_side_that_entered_it() {
    every_crash_of("b").await;
}

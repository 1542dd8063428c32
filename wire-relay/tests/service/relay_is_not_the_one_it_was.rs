//! Another relay answers at the address of one that is known: nothing is posted or read there, by any
//! process, until the one that is known is back; and what the other says ends nothing.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::agents::{TestRelay, pair, soon, until};
use tokio::sync::watch;
use wire_core::Agent;
use wire_core::agent::config::Config;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::agent::{Delivery, Error, PairOptions, PeerState, RelayState};
use wire_core::mailbox::{
    Challenge, MAILBOX_PATH, Operation, Refusal, Refused, RelayKeyPair, RelayProof, SignedRequest,
};
use wire_core::time::Timestamp;

/// The network, in which another relay can take the place of the real one.
struct Swapped {
    inner: HttpTransport,
    other: RelayKeyPair,
    /// The other relay answers.
    on: AtomicBool,
    /// It does so from the next request on that is one of these.
    armed: Mutex<Option<IsIt>>,
    /// What it says to all that it is asked to do.
    says: Mutex<Refusal>,
    /// The real one has no mailbox that it is asked to close.
    forgets: AtomicBool,
    /// What the other one was asked.
    heard: watch::Sender<Vec<String>>,
}

type IsIt = fn(&Operation) -> bool;

/// Well within the minute for which a process lets a relay rest that is not the one it knows.
const REST: Duration = Duration::from_secs(40);
const WHO: &str = "/v1/relay?c=";

impl Swapped {
    fn new(config: &Config) -> Arc<Self> {
        let other = RelayKeyPair::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
        Arc::new(Self {
            inner: HttpTransport::new(config.proxy()).unwrap(),
            other,
            on: AtomicBool::new(false),
            armed: Mutex::new(None),
            says: Mutex::new(Refusal::NotFound),
            forgets: AtomicBool::new(false),
            heard: watch::Sender::new(Vec::new()),
        })
    }

    fn swap(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    /// The other relay takes the place of the real one with the next such request.
    fn arm(&self, is_it: IsIt, says: Refusal) {
        *self.armed.lock().unwrap() = Some(is_it);
        *self.says.lock().unwrap() = says;
    }

    /// Forgets what was asked so far.
    fn forget(&self) {
        self.heard.send_modify(Vec::clear);
    }

    fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }

    async fn is_asked(&self, path: &str) {
        soon(self.heard.subscribe().wait_for(|heard| heard.iter().any(|h| h == path))).await.unwrap();
    }

    fn is_other(&self, request: &HttpRequest) -> bool {
        if self.armed.lock().unwrap().take_if(|is_it| asks(request, *is_it)).is_some() {
            self.swap(true);
        }
        self.on.load(Ordering::SeqCst)
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let now = Timestamp::from_millis(u64::try_from(now).unwrap());
        let (status, body) = match request.path.strip_prefix(WHO) {
            Some(challenge) => {
                let challenge = Challenge::from_text(challenge).unwrap();
                (200, RelayProof::sign(&self.other, &challenge, request.relay.host(), now).to_bytes())
            }
            None => {
                let refusal = *self.says.lock().unwrap();
                (refusal.status(), Refused { refusal, time: now }.to_bytes())
            }
        };
        HttpResponse { status, retry_after: None, body: body.into() }
    }

    fn note(&self, request: &HttpRequest) {
        let what = request.path.split('?').next().unwrap().to_owned();
        self.heard.send_modify(|heard| heard.push(what));
    }
}

fn asks(request: &HttpRequest, is_it: IsIt) -> bool {
    request.path == MAILBOX_PATH
        && SignedRequest::from_bytes(&request.body).is_ok_and(|r| r.operation().is_ok_and(|o| is_it(&o)))
}

fn is_post(operation: &Operation) -> bool {
    matches!(operation, Operation::Post { .. })
}

fn is_end(operation: &Operation) -> bool {
    matches!(operation, Operation::Epoch { .. } | Operation::Delete)
}

impl fmt::Debug for Swapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Swapped")
    }
}

impl Transport for Swapped {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            if self.is_other(&request) {
                let answer = self.answer(&request);
                self.note(&request);
                return Ok(answer);
            }
            if self.forgets.load(Ordering::SeqCst) && asks(&request, is_end) {
                return Ok(self.answer(&request));
            }
            self.inner.call(request).await
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            if self.is_other(&request) {
                self.note(&request);
                let host = request.relay.host().to_owned();
                return Err(TransportError::Timeout { host });
            }
            self.inner.stream(request).await
        })
    }
}

async fn sees(agent: &Agent, relay: &TestRelay, state: RelayState) {
    soon(async {
        loop {
            let changed = agent.trouble_changed();
            if agent.relay_state(relay.url().as_str()) == state {
                return;
            }
            changed.await.unwrap();
        }
    })
    .await;
}

async fn becomes(agent: &Agent, state: PeerState) {
    let mut changes = agent.changes();
    soon(async {
        loop {
            changes.mark_unchanged();
            if agent.peers().await.unwrap().first().is_some_and(|p| p.state == state) {
                return;
            }
            changes.changed().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_or_read_there_by_any_process() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = homes.0.path();
    let network = Swapped::new(&relay.config(home, "alice"));
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;

    network.swap(true);
    let sent = to_bob.send("not for the other one").await.unwrap();
    sees(&alice, &relay, RelayState::Mismatch).await;

    // When the wait is over, it is asked who it is, and nothing else.
    network.forget();
    alice.retry_now();
    network.is_asked("/v1/relay").await;
    // Another process, now or later, knows of the doubt.
    let second = relay.agent_over(home, "alice", network.clone()).await;
    sees(&second, &relay, RelayState::Mismatch).await;
    drop((to_bob, alice, second));
    let third = relay.agent_over(home, "alice", network.clone()).await;
    sees(&third, &relay, RelayState::Mismatch).await;
    assert!(third.synced().await.is_err());
    let heard = network.heard();
    assert!(heard.iter().all(|path| path == "/v1/relay"), "{heard:?}");
    third.close().await;

    network.swap(false);
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    until(&alice, &sent.id, Delivery::Received).await;
    assert_eq!(soon(bob.inbox().next()).await.unwrap().unwrap().text().unwrap(), "not for the other one");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_404_does_not_end_a_pending_pairing() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = Swapped::new(&relay.config(homes.0.path(), "alice"));
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    network.arm(is_post, Refusal::NotFound);
    let offer = alice.offer().await.unwrap();
    let code = offer.code();
    // Bob says nothing yet, so that the pairing stays pending.
    let held = PairOptions::default().verify(true);
    let (met, joined) = soon(async { tokio::join!(offer.met(), bob.join_with(&code, held)) }).await;
    drop(met.unwrap());
    sees(&alice, &relay, RelayState::Mismatch).await;
    assert_eq!(alice.peers().await.unwrap()[0].state, PeerState::Pending);
    alice.close().await;

    network.swap(false);
    let alice = relay.agent_over(homes.0.path(), "alice", network).await;
    joined.unwrap().confirm().await.unwrap();
    becomes(&alice, PeerState::Paired).await;
    becomes(&bob, PeerState::Paired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_404_of_the_relay_itself_ends_it() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let verify = PairOptions::default().verify(true);
    let offer = alice.offer_with(verify.clone()).await.unwrap();
    let code = offer.code();
    let (met, joined) = soon(async { tokio::join!(offer.met(), bob.join_with(&code, verify)) }).await;
    joined.unwrap().reject().await.unwrap();
    soon(bob.drained()).await.unwrap();
    met.unwrap().confirm().await.unwrap();
    becomes(&alice, PeerState::Abandoned).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_404_ends_no_invite() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = Swapped::new(&relay.config(homes.0.path(), "alice"));
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let link = alice.invite(PairOptions::default()).await.unwrap().link();
    network.swap(true);
    network.is_asked("/v1/pair/get").await;
    network.is_asked("/v1/relay").await;
    network.swap(false);
    let bob = relay.agent(homes.1.path(), "bob").await;
    bob.follow(&link, PairOptions::default()).await.unwrap();
    becomes(&alice, PeerState::Paired).await;
    becomes(&bob, PeerState::Paired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_word_that_we_are_revoked_gives_nothing_up() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = Swapped::new(&relay.config(homes.0.path(), "alice"));
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    soon(alice.drained()).await.unwrap();
    network.arm(is_post, Refusal::OldEpoch);
    let sent = to_bob.send("kept").await.unwrap();
    assert_eq!(soon(alice.relayed(&sent.id)).await.unwrap().state, Delivery::Queued);
    sees(&alice, &relay, RelayState::Mismatch).await;
    let info = to_bob.info().await.unwrap();
    assert_eq!((info.state, info.refused), (PeerState::Paired, None));
    drop(to_bob);
    alice.close().await;

    network.swap(false);
    let alice = relay.agent_over(homes.0.path(), "alice", network).await;
    until(&alice, &sent.id, Delivery::Received).await;
    assert_eq!(alice.status(&sent.id).await.unwrap().state, Delivery::Received);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_404_does_not_pass_for_a_revocation() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = Swapped::new(&relay.config(homes.0.path(), "alice"));
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, to_alice) = soon(pair(&alice, &bob)).await;
    soon(async { tokio::try_join!(alice.drained(), bob.drained()) }).await.unwrap();
    network.arm(is_end, Refusal::NotFound);
    to_bob.revoke().await.unwrap();
    sees(&alice, &relay, RelayState::Mismatch).await;
    drop(to_bob);
    alice.close().await;

    network.swap(false);
    let alice = relay.agent_over(homes.0.path(), "alice", network).await;
    soon(alice.drained()).await.unwrap();
    let sent = to_alice.send("any more?").await.unwrap();
    let error = soon(bob.relayed(&sent.id)).await.unwrap_err();
    assert!(matches!(&error, Error::Ended { peer } if peer == "alice"), "{error}");
}

/// Its mailbox may be gone already, and then there is nothing to revoke.
#[tokio::test(flavor = "multi_thread")]
async fn the_404_of_the_relay_itself_does() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = Swapped::new(&relay.config(homes.0.path(), "alice"));
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    network.forgets.store(true, Ordering::SeqCst);
    to_bob.revoke().await.unwrap();
    soon(alice.drained()).await.unwrap();
    assert_eq!(alice.relay_state(relay.url().as_str()), RelayState::Reachable);
}

/// It would rest for a minute, and another process has seen the known relay come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_rests_is_woken_when_another_has_seen_it_come_back() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = homes.0.path();
    let network = Swapped::new(&relay.config(home, "alice"));
    let alice = relay.agent_over(home, "alice", network.clone()).await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    soon(alice.drained()).await.unwrap();
    network.swap(true);
    to_bob.send("when it is back").await.unwrap();
    sees(&alice, &relay, RelayState::Mismatch).await;

    network.swap(false);
    let second = relay.agent(home, "alice").await;
    soon(second.check_relay()).await.unwrap();
    let woken = sees(&alice, &relay, RelayState::Reachable);
    tokio::time::timeout(REST, woken).await.expect("it slept on");
}

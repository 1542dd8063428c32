//! The mailboxes that invites make at a relay are those of peers in the end: none is left by a crash, by
//! an answer that got lost, or by an invite that ended otherwise.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::agents::{TestRelay, soon};
use tokio::sync::{Notify, watch};
use wire_core::Agent;
use wire_core::agent::config::Config;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::agent::{InviteState, PairOptions, PeerState};
use wire_core::mailbox::{MAILBOX_PATH, MailboxId, Operation, SignedRequest};

/// The mailboxes that were created at the relay and not deleted.
type Mailboxes = watch::Sender<BTreeSet<MailboxId>>;

/// Keeps account of mailboxes. Carries so many requests of a pairing, the last one without its answer,
/// and then none.
struct Dying {
    inner: HttpTransport,
    left: AtomicUsize,
    dead: Notify,
    mailboxes: Arc<Mailboxes>,
}

impl Dying {
    fn after(config: &Config, requests: usize, mailboxes: &Arc<Mailboxes>) -> Arc<Self> {
        Arc::new(Self {
            inner: HttpTransport::new(config.proxy()).unwrap(),
            left: AtomicUsize::new(requests),
            dead: Notify::new(),
            mailboxes: Arc::clone(mailboxes),
        })
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let asked = SignedRequest::from_bytes(&request.body).ok().filter(|_| request.path == MAILBOX_PATH);
        let answer = self.inner.call(request).await?;
        if let Some(asked) = asked.filter(|_| answer.status < 300) {
            let id = asked.mailbox();
            self.mailboxes.send_if_modified(|all| match asked.operation() {
                Ok(Operation::Create { .. }) => all.insert(id),
                Ok(Operation::Delete) => all.remove(&id),
                _ => false,
            });
        }
        Ok(answer)
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
            // Looking into a slot changes nothing, and is done who knows how often.
            if request.path == "/v1/pair/get" && self.left.load(Ordering::SeqCst) > 0 {
                return self.inner.call(request).await;
            }
            let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            match left {
                Err(_) => std::future::pending().await,
                Ok(1) => {
                    let _ = self.carry(request).await;
                    self.dead.notify_one();
                    std::future::pending().await
                }
                Ok(_) => self.carry(request).await,
            }
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            match self.left.load(Ordering::SeqCst) {
                0 => std::future::pending().await,
                _ => self.inner.stream(request).await,
            }
        })
    }
}

const FOREVER: usize = usize::MAX;

struct World {
    relay: TestRelay,
    mailboxes: Arc<Mailboxes>,
}

impl World {
    async fn new() -> Self {
        Self { relay: TestRelay::start().await, mailboxes: Arc::new(watch::Sender::default()) }
    }

    async fn agent(&self, home: &Path, name: &str, requests: usize) -> (Agent, Arc<Dying>) {
        let network = Dying::after(&self.relay.config(home, name), requests, &self.mailboxes);
        (self.relay.agent_over(home, name, network.clone()).await, network)
    }
}

async fn is_paired(agent: &Agent) {
    let mut changes = agent.changes();
    soon(async {
        loop {
            changes.mark_unchanged();
            if agent.peers().await.unwrap().iter().any(|p| p.state == PeerState::Paired) {
                return;
            }
            changes.changed().await.unwrap();
        }
    })
    .await;
}

async fn invite_is(agent: &Agent, state: InviteState) {
    let mut changes = agent.changes();
    soon(async {
        loop {
            changes.mark_unchanged();
            if agent.invites().await.unwrap().first().map(|i| i.state) == Some(state) {
                return;
            }
            changes.changed().await.unwrap();
        }
    })
    .await;
}

/// Whether it paired before it died.
async fn crash_of(side: &str, requests: usize) -> bool {
    let world = World::new().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a_home, b_home) = (homes.0.path(), homes.1.path());
    let (alice, _) = world.agent(a_home, "alice", FOREVER).await;
    let link = alice.invite(PairOptions::default()).await.unwrap().link();
    let (bob, _) = world.agent(b_home, "bob", FOREVER).await;
    // One of the two goes on as a process that dies.
    let (mut alice, mut bob) = (Some(alice), Some(bob));
    let (home, name, dying) = match side {
        "a" => (a_home, "alice", &mut alice),
        _ => (b_home, "bob", &mut bob),
    };
    if side == "b" {
        dying.as_ref().unwrap().follow(&link, PairOptions::default()).await.unwrap();
    }
    dying.take().unwrap().close().await;
    let (process, network) = world.agent(home, name, requests).await;
    if side == "a" {
        bob.as_ref().unwrap().follow(&link, PairOptions::default()).await.unwrap();
    }
    let survived = tokio::select! {
        () = is_paired(&process) => true,
        () = soon(network.dead.notified()) => false,
    };
    drop(process);

    let (again, _) = world.agent(home, name, FOREVER).await;
    let other = alice.or(bob).unwrap();
    is_paired(&again).await;
    is_paired(&other).await;
    let mailboxes = world.mailboxes.borrow().len();
    assert_eq!(mailboxes, 2, "{side} after {requests}: each has one for its peer");
    survived
}

async fn every_crash_of(side: &str) {
    // Far more than it takes; the first run that survives has seen them all.
    for requests in 1..40 {
        if crash_of(side, requests).await {
            assert!(requests > 2, "it takes more requests than that");
            return;
        }
    }
    unreachable!("it never survives");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_its_maker_crashes() {
    every_crash_of("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_its_follower_crashes() {
    every_crash_of("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_ends_in_a_dispute() {
    let world = World::new().await;
    let homes: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let (alice, _) = world.agent(homes[0].path(), "alice", FOREVER).await;
    let link = alice.invite(PairOptions::default()).await.unwrap().link();
    let (bob, _) = world.agent(homes[1].path(), "bob", FOREVER).await;
    bob.follow(&link, PairOptions::default()).await.unwrap();
    bob.close().await;
    invite_is(&alice, InviteState::Confirming).await;
    assert_eq!(world.mailboxes.borrow().len(), 1);
    // A third party claims the place: whoever it is, the invite has served.
    let (carol, _) = world.agent(homes[2].path(), "carol", FOREVER).await;
    carol.follow(&link, PairOptions::default()).await.unwrap_err();
    invite_is(&alice, InviteState::Failed).await;
    soon(world.mailboxes.subscribe().wait_for(BTreeSet::is_empty)).await.unwrap();
}

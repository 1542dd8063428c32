//! An invite is completed by two agents that are never on line at the same time.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::agents::{TestRelay, soon};
use tokio::sync::watch;
use wire_core::Agent;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::agent::{InviteState, PairOptions, PeerInfo, PeerState};

/// Tells how many steps of pairings the relay has confirmed to hold: a step is on the disk before that.
struct Steps {
    inner: HttpTransport,
    put: watch::Sender<usize>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps")
    }
}

impl Transport for Steps {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let puts = request.path == "/v1/pair/put";
            let answer = self.inner.call(request).await?;
            if puts && answer.status == 200 {
                self.put.send_modify(|put| *put += 1);
            }
            Ok(answer)
        })
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        self.inner.stream(request)
    }
}

/// An agent that is on line until the relay has the next step of its pairing.
struct OnLine {
    agent: Agent,
    steps: Arc<Steps>,
}

impl OnLine {
    async fn open(relay: &TestRelay, home: &Path, name: &str) -> Self {
        let inner = HttpTransport::new(relay.config(home, name).proxy()).unwrap();
        let steps = Arc::new(Steps { inner, put: watch::Sender::new(0) });
        Self { agent: relay.agent_over(home, name, steps.clone()).await, steps }
    }

    async fn has_put_a_step(&self) {
        soon(self.steps.put.subscribe().wait_for(|put| *put > 0)).await.unwrap();
    }
}

/// Waits until the agent's only peer and only open invite satisfy `done`.
async fn reaches(agent: &Agent, done: impl Fn(Option<&PeerInfo>, Option<InviteState>) -> bool) {
    let mut changes = agent.changes();
    soon(async {
        loop {
            changes.mark_unchanged();
            let peers = agent.peers().await.unwrap();
            let invites = agent.invites().await.unwrap();
            if done(peers.first(), invites.first().map(|i| i.state)) {
                return;
            }
            changes.changed().await.unwrap();
        }
    })
    .await;
}

/// Its HELLO is at the relay.
fn has_said_hello(peer: Option<&PeerInfo>) -> bool {
    peer.is_some_and(|p| p.queued == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_side_at_a_time() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let link = alice.invite(PairOptions::default().name("friend")).await.unwrap().link();
    assert!(link.starts_with(&format!("http://{}/j#1.", relay.address)));
    alice.close().await;

    let bob = relay.agent(homes.1.path(), "bob").await;
    bob.follow(&link, PairOptions::default()).await.unwrap();
    assert_eq!(bob.invites().await.unwrap()[0].state, InviteState::Joined);
    bob.close().await;

    let alice = OnLine::open(&relay, homes.0.path(), "alice").await;
    reaches(&alice.agent, |_, invite| invite == Some(InviteState::Confirming)).await;
    assert!(alice.agent.peers().await.unwrap().is_empty());
    alice.has_put_a_step().await;
    alice.agent.close().await;

    let bob = OnLine::open(&relay, homes.1.path(), "bob").await;
    reaches(&bob.agent, |peer, _| has_said_hello(peer)).await;
    let peers = bob.agent.peers().await.unwrap();
    assert_eq!(peers[0].state, PeerState::Pending, "nobody has proved anything yet");
    bob.has_put_a_step().await;
    bob.agent.close().await;

    let alice = relay.agent(homes.0.path(), "alice").await;
    reaches(&alice, |peer, _| peer.is_some_and(|p| p.state == PeerState::Paired && p.queued == 0)).await;
    assert_eq!(alice.peers().await.unwrap()[0].name, "friend");
    alice.close().await;

    let bob = relay.agent(homes.1.path(), "bob").await;
    reaches(&bob, |peer, _| peer.is_some_and(|p| p.state == PeerState::Paired)).await;
    assert!(bob.invites().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_followed_once() {
    let relay = TestRelay::start().await;
    let homes: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let alice = relay.agent(homes[0].path(), "alice").await;
    let invite = alice.invite(PairOptions::default()).await.unwrap();
    let bob = relay.agent(homes[1].path(), "bob").await;
    let followed = bob.follow(&invite.link(), PairOptions::default()).await.unwrap();
    let link = invite.link();
    soon(followed.paired(None)).await.unwrap();
    let carol = relay.agent(homes[2].path(), "carol").await;
    let error = carol.follow(&link, PairOptions::default()).await.unwrap_err();
    assert!(["code_used", "code_expired"].contains(&error.code()), "{error}");
}

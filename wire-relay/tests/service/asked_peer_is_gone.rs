//! The pairing ends, on either side, while a reply is awaited.

use std::fmt;
use std::sync::Arc;

use crate::agents::{TestRelay, pair, soon, until};
use tokio::sync::{Notify, watch};
use wire_core::Agent;
use wire_core::agent::http::HttpTransport;
use wire_core::agent::transport::{
    BoxFuture, HttpRequest, HttpResponse, HttpStream, Transport, TransportError,
};
use wire_core::agent::{Ask, Delivery, Error, Message, Peer, PeerState};
use wire_core::mailbox::{Operation, SignedRequest};

struct World {
    relay: TestRelay,
    homes: (tempfile::TempDir, tempfile::TempDir),
    alice: Agent,
    bob: Agent,
    to_bob: Peer,
    to_alice: Peer,
}

impl World {
    async fn start() -> Self {
        let relay = TestRelay::start().await;
        let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let alice = relay.agent(homes.0.path(), "alice").await;
        let bob = relay.agent(homes.1.path(), "bob").await;
        let (to_bob, to_alice) = soon(pair(&alice, &bob)).await;
        Self { relay, homes, alice, bob, to_bob, to_alice }
    }

    /// Alice asks, and Bob has the question.
    async fn asked(&self) -> (Ask, Message) {
        let ask = self.to_bob.ask("ready?").start().await.unwrap();
        let question = soon(self.bob.inbox().next()).await.unwrap().unwrap();
        until(&self.alice, &ask.id(), Delivery::Received).await;
        (ask, question)
    }

    /// Bob ends the pairing, and Alice, who sends something more, learns of it.
    async fn bob_revokes(&self) {
        self.to_alice.revoke().await.unwrap();
        soon(self.bob.drained()).await.unwrap();
        let more = self.to_bob.send("are you there?").await.unwrap();
        assert!(matches!(soon(self.alice.relayed(&more.id)).await, Err(Error::Ended { .. })));
        assert_eq!(self.to_bob.info().await.unwrap().state, PeerState::Ended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_has_received_the_ask_and_ends_the_pairing() {
    let w = World::start().await;
    let (ask, _question) = w.asked().await;
    let waiting = tokio::spawn({
        let ask = ask.clone();
        async move { ask.reply().await }
    });
    w.bob_revokes().await;
    assert!(matches!(soon(waiting).await.unwrap(), Err(Error::Ended { .. })));
    assert!(matches!(soon(ask.reply()).await, Err(Error::Ended { .. })), "and for whoever asks later");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_has_processed_the_ask_and_we_end_the_pairing() {
    let w = World::start().await;
    let (ask, question) = w.asked().await;
    question.ack().await.unwrap();
    until(&w.alice, &ask.id(), Delivery::Processed).await;
    let waiting = tokio::spawn({
        let ask = ask.clone();
        async move { ask.reply().await }
    });
    // Nothing that the relay has is needed to know it.
    let World { mut relay, to_bob, .. } = w;
    relay.stop().await;
    to_bob.revoke().await.unwrap();
    assert!(matches!(soon(waiting).await.unwrap(), Err(Error::Revoked { .. })));
    assert!(matches!(soon(ask.reply()).await, Err(Error::Revoked { .. })));
}

/// A network over which no mailbox is read before it is opened.
struct Held {
    inner: HttpTransport,
    open: watch::Sender<bool>,
    /// Somebody wants to know what waits in a mailbox.
    asked: Notify,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Transport for Held {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        if SignedRequest::from_bytes(&request.body)
            .is_ok_and(|r| matches!(r.operation(), Ok(Operation::Poll { .. })))
        {
            self.asked.notify_one();
        }
        self.inner.call(request)
    }

    fn stream(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            self.open.subscribe().wait_for(|open| *open).await.unwrap();
            self.inner.stream(request).await
        })
    }
}

/// The end of a pairing is often learnt before what the peer had said until then is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_from_before_the_end_is_read_first() {
    let w = World::start().await;
    let (ask, question) = w.asked().await;
    let id = ask.id();
    let World { relay, homes, alice, bob, to_alice, .. } = w;
    alice.close().await;
    let sent = question.reply_with("yes").await.unwrap();
    question.ack().await.unwrap();
    until(&bob, &sent.id, Delivery::Relayed).await;
    to_alice.revoke().await.unwrap();
    soon(bob.drained()).await.unwrap();

    let inner = HttpTransport::new(relay.config(homes.0.path(), "alice").proxy()).unwrap();
    let network = Arc::new(Held { inner, open: watch::Sender::new(false), asked: Notify::new() });
    let alice = relay.agent_over(homes.0.path(), "alice", network.clone()).await;
    let more = alice.peer("bob").await.unwrap().send("are you there?").await.unwrap();
    assert!(matches!(soon(alice.relayed(&more.id)).await, Err(Error::Ended { .. })));
    let ask = alice.open_ask(&id).await.unwrap();
    let mut waiting = tokio::spawn(async move { ask.reply().await });
    tokio::select! {
        early = &mut waiting => panic!("nothing was read yet: {early:?}"),
        () = soon(network.asked.notified()) => {}
    }
    network.open.send_replace(true);
    let reply = soon(waiting).await.unwrap().unwrap();
    assert_eq!((reply.text().unwrap(), reply.re()), ("yes", Some(id)));
}

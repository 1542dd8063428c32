//! Two agents pair by a code and talk, with every state proved.

use crate::agents::{TestRelay, pair, soon, until};
use wire_core::agent::{Delivery, PeerState};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_then_a_message_each_way() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, to_alice) = soon(pair(&alice, &bob)).await;

    assert_eq!(to_bob.info().await.unwrap().root, bob.root());
    assert_eq!(to_alice.info().await.unwrap().root, alice.root());
    assert_eq!(to_bob.info().await.unwrap().name, "bob");
    assert_eq!(to_bob.info().await.unwrap().sas, to_alice.info().await.unwrap().sas);

    let hello = to_bob.send("hello").await.unwrap();
    let message = soon(bob.inbox().next()).await.unwrap().unwrap();
    assert_eq!((message.text().unwrap(), message.sender_root()), ("hello", alice.root()));
    until(&alice, &hello.id, Delivery::Received).await;
    assert_eq!(alice.status(&hello.id).await.unwrap().state, Delivery::Received);
    message.ack().await.unwrap();
    until(&alice, &hello.id, Delivery::Processed).await;

    let back = to_alice.send("and back").await.unwrap();
    let message = soon(alice.inbox().next()).await.unwrap().unwrap();
    assert_eq!(message.text().unwrap(), "and back");
    message.reject().await.unwrap();
    until(&bob, &back.id, Delivery::Refused).await;
    assert_eq!(bob.status(&back.id).await.unwrap().state, Delivery::Refused);
    assert_eq!(to_bob.info().await.unwrap().state, PeerState::Paired);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ask_gets_its_reply() {
    let relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    let asking = tokio::spawn(async move { to_bob.ask("ready?").await });
    let question = soon(bob.inbox().next()).await.unwrap().unwrap();
    assert!(question.is_ask());
    question.reply_with("yes").await.unwrap();
    question.ack().await.unwrap();
    let reply = soon(asking).await.unwrap().unwrap();
    assert_eq!((reply.text().unwrap(), reply.re()), ("yes", Some(question.id())));
    reply.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_while_the_other_is_off_line_waits_for_it_in_order() {
    let mut relay = TestRelay::start().await;
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (to_bob, _) = soon(pair(&alice, &bob)).await;
    bob.close().await;
    let mut last = None;
    for n in 0..20 {
        last = Some(to_bob.send(format!("{n}")).await.unwrap().id);
    }
    until(&alice, &last.unwrap(), Delivery::Relayed).await;
    relay.restart().await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let mut inbox = bob.inbox();
    for n in 0..20 {
        let message = soon(inbox.next()).await.unwrap().unwrap();
        assert_eq!(message.text().unwrap(), format!("{n}"));
        message.ack().await.unwrap();
    }
    until(&alice, &last.unwrap(), Delivery::Processed).await;
}

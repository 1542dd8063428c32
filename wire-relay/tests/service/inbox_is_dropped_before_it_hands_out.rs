//! A claim that nobody heard of is no hand-out: however often an inbox is dropped in the middle of one, the
//! message is there.

use std::pin::pin;
use std::task::Poll;

use crate::agents::{TestRelay, pair, soon, until};
use tempfile::tempdir;
use wire_core::agent::Delivery;

#[tokio::test]
async fn however_often_the_message_is_there() {
    let relay = TestRelay::start().await;
    let homes = (tempdir().unwrap(), tempdir().unwrap());
    let alice = relay.agent(homes.0.path(), "alice").await;
    let bob = relay.agent(homes.1.path(), "bob").await;
    let (peer, _) = pair(&alice, &bob).await;
    let sent = peer.send("still there").await.unwrap();
    until(&alice, &sent.id, Delivery::Received).await;
    let mut handed = None;
    'drops: for _ in 0..20 {
        let mut inbox = bob.inbox();
        let mut next = pin!(inbox.next());
        // The first poll asks whether anything is ready, the second claims it, and a third would get it;
        // unless an answer is there at once, and then the message is really handed out.
        for _ in 0..2 {
            handed = std::future::poll_fn(|cx| match next.as_mut().poll(cx) {
                Poll::Ready(message) => Poll::Ready(message),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
            if handed.is_some() {
                break 'drops;
            }
            // Answered in turn, so what was asked before is done.
            assert_eq!(bob.waiting(10).await.unwrap().len(), 1);
        }
    }
    let message = match handed {
        Some(message) => message.unwrap(),
        None => soon(bob.inbox().next()).await.unwrap().unwrap(),
    };
    assert_eq!(message.text().unwrap(), "still there");
    message.ack().await.unwrap();
    let outcome = soon(alice.wait_for(&sent.id, Delivery::Processed)).await.unwrap();
    assert_eq!(outcome.state, Delivery::Processed);
}

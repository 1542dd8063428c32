//! At a relay that wants tokens, whoever made a code had one; who joins by it needs none, and gets
//! one mailbox.

use crate::common::*;
use wire_core::mailbox::*;
use wire_relay::{CreatePolicy, RelayConfig};

#[tokio::test(flavor = "multi_thread")]
async fn join_needs_no_token_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let operators = OperatorToken::new(b"given out by the operator").unwrap();
    let policy = CreatePolicy::Token(vec![operators.hash()]);
    let relay = Running::with(&RelayConfig::new(data.path()).create(policy)).await;
    let [a, b] = [0; 2].map(|_| ClientToken::random(&mut rng()));
    let allocate = async |right| {
        let call = Allocate { token: a.hash(), invite: None, right };
        relay.post("/v1/pair/allocate", call.to_bytes()).await
    };
    assert_eq!(allocate(Right::None).await.refusal(), Refusal::RightWanted);
    let place = Allocated::from_bytes(allocate(Right::Operator(operators.clone())).await.ok()).unwrap().place;
    relay.claim(&place, &b).await.ok();

    let create = async |mailbox: &Mailbox, right| {
        mailbox.owner(&relay, &Operation::Create { min_epoch: 1, right }).await
    };
    let by_place = Right::Pairing { place: place.clone(), token: b.clone() };
    let (first, second) = (Mailbox::new(), Mailbox::new());
    assert_eq!(create(&first, Right::None).await.refusal(), Refusal::RightWanted);
    create(&first, by_place.clone()).await.ok();
    create(&first, Right::None).await.ok();
    assert_eq!(create(&second, by_place).await.refusal(), Refusal::RightWanted);
    create(&second, Right::Operator(operators)).await.ok();
    assert_eq!(first.posted(&relay, &[b"one"]).await, [Verdict::Stored]);
    relay.stop().await;
}

use super::harness::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};

#[test]
fn the_record_is_put_aside_as_poison_and_the_next_one_comes() {
    let w = World::paired();
    let bad = w.alice.send("crashes the application").unwrap();
    w.alice.send("next").unwrap();
    w.settle();
    for _ in 0..5 {
        let (n, text) = w.bob.claim("me").unwrap();
        assert_eq!(text, "crashes the application");
        w.bob.write(|b| b.release(n)).unwrap();
    }
    assert_eq!(w.bob.handle().as_deref(), Some("next"));
    w.settle();
    assert_eq!(w.alice.delivery(&bad), Delivery::Poison);
}

/// What the sender was told is final: who says something else hears of it.
#[test]
fn what_is_settled_cannot_be_settled_otherwise() {
    let w = World::paired();
    let sent = ["poison", "refused", "processed"].map(|text| w.alice.send(text).unwrap());
    w.settle();
    let close = |n, state| w.bob.write(|b| b.close(n, state));
    let settled = |n, state| match close(n, state) {
        Err(Error::Settled { state }) => state,
        other => panic!("{other:?}"),
    };
    let mut rows = Vec::new();
    for state in [Inward::Poison, Inward::Refused, Inward::Processed] {
        let (n, _) = w.bob.claim("me").unwrap();
        close(n, state).unwrap();
        close(n, state).expect("again is the same");
        rows.push(n);
    }
    assert_eq!(settled(rows[0], Inward::Processed), Delivery::Poison);
    assert_eq!(settled(rows[0], Inward::Refused), Delivery::Poison);
    assert_eq!(settled(rows[1], Inward::Processed), Delivery::Refused);
    assert_eq!(settled(rows[2], Inward::Refused), Delivery::Processed);
    close(rows[2], Inward::Poison).expect("who was late to put it aside has nothing to say");
    w.settle();
    let told = sent.map(|id| w.alice.delivery(&id));
    assert_eq!(told, [Delivery::Poison, Delivery::Refused, Delivery::Processed]);

    w.bob.write(|b| b.retire(w.bob.key(), Stage::Revoked)).unwrap();
    close(rows[1], Inward::Processed).expect("nobody is told anything any more");
}

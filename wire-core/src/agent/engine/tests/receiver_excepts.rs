use super::harness::World;
use crate::agent::state::{Delivery, Inward};

#[test]
fn the_sender_learns_why_and_what_follows_is_not_held_up() {
    let w = World::paired();
    let ids = ["taken", "refused", "late", "poison", "taken too"].map(|t| w.alice.send(t).unwrap());
    w.settle();
    let states = [Inward::Processed, Inward::Refused, Inward::Expired, Inward::Poison, Inward::Processed];
    for state in states {
        let (n, _) = w.bob.claim("me").unwrap();
        w.bob.close(n, state);
    }
    w.settle();
    let shown = ids.map(|id| w.alice.delivery(&id));
    use Delivery::{Expired, Poison, Processed, Refused};
    assert_eq!(shown, [Processed, Refused, Expired, Poison, Processed]);
    assert!(w.alice.read(|b| b.open_deliveries(10)).is_empty());
}

#[test]
fn what_is_processed_out_of_turn_is_shown_when_its_turn_comes() {
    let w = World::paired();
    let ids = ["one", "two", "three"].map(|t| w.alice.send(t).unwrap());
    w.settle();
    let claims: Vec<i64> = (0..3).map(|_| w.bob.claim("me").unwrap().0).collect();
    w.bob.close(claims[2], Inward::Processed);
    w.bob.close(claims[1], Inward::Refused);
    w.settle();
    assert_eq!(ids.map(|id| w.alice.delivery(&id)), [Delivery::Received; 3]);
    w.bob.close(claims[0], Inward::Processed);
    w.settle();
    assert_eq!(
        ids.map(|id| w.alice.delivery(&id)),
        [Delivery::Processed, Delivery::Refused, Delivery::Processed]
    );
}

/// More exceptions than one acknowledgement holds.
#[test]
fn many_exceptions_are_told_one_acknowledgement_after_the_other() {
    let w = World::paired();
    let ids: Vec<_> = (0..700).map(|i| w.alice.send(&i.to_string()).unwrap()).collect();
    w.settle();
    w.bob
        .write(|b| {
            use crate::agent::engine::Handed;
            let mut odd = false;
            while let Handed::Item(item) = b.claim_next("me", |_| true)? {
                b.close(item.n, if odd { Inward::Refused } else { Inward::Processed })?;
                odd = !odd;
            }
            Ok(())
        })
        .unwrap();
    w.settle();
    for _ in 0..5 {
        // Whatever Alice says next tells Bob what she has seen, and Bob goes on from there.
        w.alice.send("go on").unwrap();
        w.settle();
        w.bob.drain();
        w.settle();
    }
    for (i, id) in ids.iter().enumerate() {
        let expected = if i % 2 == 1 { Delivery::Refused } else { Delivery::Processed };
        assert_eq!(w.alice.delivery(id), expected, "{i}");
    }
}

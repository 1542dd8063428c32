use super::harness::{Wish, World};
use crate::agent::engine::{Closing, Stage};
use crate::mailbox::Refusal;

#[test]
fn it_is_given_up_after_a_day_or_at_its_deadline() {
    let w = World::new();
    let deadline = Some(w.alice.now().plus_millis(5_000));
    w.pair(Wish { deadline, ..Wish::default() }, Wish::default()).unwrap();
    w.wait(4_999);
    w.alice.tick();
    assert_eq!(w.alice.stage(), Stage::Pending);
    w.wait(1);
    w.alice.tick();
    w.bob.tick();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Abandoned, Stage::Pending));
    assert!(w.alice.post().is_empty());
    let boxes = w.alice.read(|b| b.own_boxes());
    assert_eq!(boxes[0].closing, Some(Closing::Delete));
    w.alice.write(|b| b.box_closed(w.alice.key())).unwrap();
    assert!(w.alice.read(|b| b.own_boxes()).is_empty());

    w.wait(24 * 3_600_000);
    w.bob.tick();
    assert_eq!(w.bob.stage(), Stage::Abandoned);
    // HELLO of a side that had not given up yet comes too late.
    w.bob.use_peer(w.bob.key());
    assert!(w.alice.try_take(&[vec![0; 512]]).is_err());
}

#[test]
fn a_404_of_the_relay_that_we_know_ends_a_pending_pairing_and_is_an_outage_to_a_completed_one() {
    for refusal in [Refusal::NotFound, Refusal::OldEpoch] {
        let w = World::pending();
        w.alice.write(|b| b.refusal_proved(w.alice.key(), 0, refusal)).unwrap();
        assert_eq!(w.alice.stage(), Stage::Abandoned, "{refusal}");
    }
    let w = World::paired();
    let id = w.alice.send("kept").unwrap();
    w.alice.write(|b| b.refusal_proved(w.alice.key(), 0, Refusal::NotFound)).unwrap();
    assert_eq!(w.alice.stage(), Stage::Paired);
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).refused.as_deref(), Some("none"));
    w.settle();
    assert_eq!(w.alice.delivery(&id), crate::agent::state::Delivery::Received);
}

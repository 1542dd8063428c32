use super::harness::World;
use crate::agent::state::Delivery;

#[test]
fn each_state_is_shown_when_it_is_proved_and_not_before() {
    let w = World::paired();
    for (from, to) in [(&w.alice, &w.bob), (&w.bob, &w.alice)] {
        let id = from.send("hello").unwrap();
        assert_eq!(from.delivery(&id), Delivery::Queued);
        let envelopes = from.post();
        assert_eq!(from.delivery(&id), Delivery::Relayed);
        assert_eq!(to.take(&envelopes).records, 1);
        assert_eq!(from.delivery(&id), Delivery::Relayed);
        from.take(&to.post());
        assert_eq!(from.delivery(&id), Delivery::Received);

        assert_eq!(to.handle().as_deref(), Some("hello"));
        assert_eq!(from.delivery(&id), Delivery::Received);
        from.take(&to.post());
        assert_eq!(from.delivery(&id), Delivery::Processed);
        assert_eq!(to.handle(), None);
    }
}

#[test]
fn a_conversation_ends_in_silence() {
    let w = World::paired();
    w.alice.send("hello").unwrap();
    w.settle();
    w.bob.drain();
    w.settle();
    // No acknowledgement elicits another, and nothing is left to ask about.
    w.wait(48 * 3_600_000);
    w.alice.tick();
    w.bob.tick();
    assert!(w.alice.post().is_empty() && w.bob.post().is_empty());
}

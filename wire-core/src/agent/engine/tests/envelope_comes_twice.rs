use super::harness::World;

#[test]
fn it_has_no_effect_and_elicits_one_acknowledgement_a_second() {
    let w = World::paired();
    w.alice.send("once").unwrap();
    let envelopes = w.alice.post();
    w.bob.take(&envelopes);
    assert_eq!(w.bob.post().len(), 1, "the acknowledgement");
    let again = w.bob.take(&[envelopes.clone(), envelopes.clone()].concat());
    assert_eq!((again.records, again.rejected), (0, 0));
    assert!(w.bob.post().is_empty(), "less than a second after the last one");
    w.bob.wait(1_000);
    w.bob.take(&envelopes);
    assert_eq!(w.bob.post().len(), 1);
    assert_eq!(w.bob.drain(), ["once"]);
}

/// A relay that delivers one old envelope every second for a day must not use up the sending chain.
#[test]
fn for_a_whole_day_it_uses_up_nothing() {
    let w = World::paired();
    w.alice.send("once").unwrap();
    let old = w.alice.post();
    w.bob.take(&old);
    let mut acks = w.bob.post();
    let room = w.bob.tamper(|_, p| p.session().unwrap().room(crate::session::Lane::Ordinary));
    for _ in 0..2_000 {
        w.bob.wait(1_000);
        w.bob.take(&old);
        acks.extend(w.bob.post());
    }
    let left = w.bob.tamper(|_, p| p.session().unwrap().room(crate::session::Lane::Ordinary));
    assert_eq!(left, room, "what says nothing new is posted again as it is");
    acks.dedup();
    assert_eq!(acks.len(), 1);
    w.bob.send("still able").unwrap();
}

use super::harness::World;

#[test]
fn later_ones_are_held_and_all_are_handed_out_in_order() {
    let w = World::paired();
    let texts: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    for text in &texts {
        w.alice.send(text).unwrap();
    }
    let envelopes = w.alice.post();
    // 0 is read at once, then the rest from the end.
    assert_eq!(w.bob.take(&envelopes[..1]).records, 1);
    for envelope in envelopes[2..].iter().rev() {
        assert_eq!(w.bob.take(std::slice::from_ref(envelope)).records, 0);
    }
    assert_eq!(w.bob.handle().as_deref(), Some("0"));
    assert_eq!(w.bob.handle(), None, "nothing is handed out from beyond a gap");
    assert_eq!(w.bob.take(&envelopes[1..2]).records, 9);
    let waiting = w.bob.read(|b| b.list_inbox(100));
    let listed: Vec<_> = waiting.iter().map(|i| String::from_utf8(i.body.clone()).unwrap()).collect();
    assert_eq!(listed, texts[1..]);
    assert_eq!(w.bob.drain(), texts[1..]);
}

/// What was held first has the lower number in the store, and must not come first for that.
#[test]
fn two_swapped_envelopes_are_handed_out_in_order() {
    let w = World::paired();
    w.alice.send("first").unwrap();
    w.alice.send("second").unwrap();
    let envelopes = w.alice.post();
    w.bob.take(&envelopes[1..]);
    w.bob.take(&envelopes[..1]);
    assert_eq!(w.bob.drain(), ["first", "second"]);
}

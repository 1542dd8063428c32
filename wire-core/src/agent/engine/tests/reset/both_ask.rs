use super::{Side, World};

/// The side with the lower root, and the other.
fn by_root(w: &World) -> (&Side, &Side) {
    let root = |side: &Side| side.engine().identity.root();
    if root(&w.alice) < root(&w.bob) { (&w.alice, &w.bob) } else { (&w.bob, &w.alice) }
}

#[test]
fn that_of_the_lower_root_counts_and_still_needs_the_other_owner() {
    let w = World::paired();
    let old = w.alice.session();
    let (low, high) = by_root(&w);
    low.reset().unwrap();
    high.reset().unwrap();
    w.carry();
    // Neither has an effect by itself.
    assert!(high.is_asked() && !low.is_asked());
    assert!(low.view().unwrap().agreed.is_none() && high.view().unwrap().agreed.is_none());
    assert_eq!(w.talk("as before"), old);
    high.reset().unwrap();
    w.carry();
    w.compare();
    assert_ne!(w.talk("after"), old);
}

#[test]
fn whoever_has_not_seen_it_gets_it_again() {
    let w = World::paired();
    let (low, high) = by_root(&w);
    low.reset().unwrap();
    let lost = low.post_all();
    high.reset().unwrap();
    low.take(&high.post_all());
    assert_eq!(low.post_all(), lost);
    high.take(&lost);
    assert!(high.is_asked());
    // Not as often as somebody plays the other one.
    high.wait(60_000);
    high.tick();
    low.take(&high.post_all());
    assert!(low.post_all().is_empty());
    high.reset().unwrap();
    w.carry();
    w.compare();
    w.talk("after");
}

#[test]
fn once_the_lower_one_is_taken_back_the_other_counts() {
    let w = World::paired();
    let (low, high) = by_root(&w);
    low.reset().unwrap();
    high.reset().unwrap();
    let of_high = high.post_all();
    low.take(&of_high);
    assert!(!low.is_asked());
    low.write(|b| b.cancel_reset(low.key())).unwrap();
    high.wait(60_000);
    high.tick();
    low.take(&high.post_all());
    assert!(low.is_asked());
    low.reset().unwrap();
    w.carry();
    w.compare();
    w.talk("after");
}

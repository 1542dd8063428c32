use super::harness::World;
use crate::agent::state::Delivery;

/// Bob has answered at a time that is still to come. Whoever asks him meanwhile must not have to wait for it.
#[test]
fn who_asks_is_answered_all_the_same() {
    let w = World::paired();
    let id = w.alice.send("one").unwrap();
    w.bob.take(&w.alice.post());
    drop(w.bob.post());
    w.bob.put_back(20 * 3_600_000);
    w.wait(60_000);
    w.alice.tick();
    w.settle();
    assert_eq!(w.alice.delivery(&id), Delivery::Received);
}

/// And is answered once a second, as always.
#[test]
fn but_no_more_often_than_before() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    let page = w.alice.post();
    w.bob.take(&page);
    drop(w.bob.post());
    w.bob.put_back(20 * 3_600_000);
    w.bob.take(&page);
    assert_eq!(w.bob.post().len(), 1);
    w.bob.take(&page);
    assert_eq!(w.bob.post().len(), 0);
    w.bob.wait(1_000);
    w.bob.take(&page);
    assert_eq!(w.bob.post().len(), 1);
}

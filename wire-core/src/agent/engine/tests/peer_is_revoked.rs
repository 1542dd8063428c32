use super::harness::World;
use crate::agent::engine::{Closing, Stage};
use crate::agent::error::Error;

#[test]
fn nothing_more_is_sent_taken_or_handed_out() {
    let w = World::paired();
    w.alice.send("unread").unwrap();
    w.settle();
    w.bob.send("unposted").unwrap();
    w.bob.write(|b| b.retire(w.bob.key(), Stage::Revoked)).unwrap();
    assert!(matches!(w.bob.send("no"), Err(Error::Revoked { .. })));
    assert!(w.bob.post().is_empty());
    w.alice.send("too late").unwrap();
    assert!(w.bob.try_take(&w.alice.post()).is_err());
    assert_eq!(w.bob.handle(), None);
    assert!(!w.bob.read(|b| b.has_ready()), "or a reader would wait for it in a circle");
    assert!(w.bob.read(|b| b.list_inbox(10)).is_empty());
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM outbox_envelope"), 0);

    let boxes = w.bob.read(|b| b.own_boxes());
    assert_eq!(boxes.iter().map(|o| o.closing).collect::<Vec<_>>(), [Some(Closing::Revoke)]);
    w.bob.write(|b| b.box_closed(w.bob.key())).unwrap();
    assert!(w.bob.read(|b| b.own_boxes()).is_empty());
    assert_eq!(w.bob.read(|b| b.find_peer("alice")).stage, Stage::Revoked);
}

use super::harness::{URL, World};
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

/// The relay counts as the owner's own choice for as long as a mailbox of ours lies there.
#[test]
fn its_relay_is_chosen_until_the_mailbox_is_closed() {
    let w = World::paired();
    let is_chosen = |url| w.alice.read(|b| b.is_chosen(url));
    assert!(is_chosen(URL) && !is_chosen("https://10.0.0.1"));
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    assert!(is_chosen(URL), "it is still to be closed there");
    w.alice.write(|b| b.box_closed(w.alice.key())).unwrap();
    assert!(!is_chosen(URL));
}

use super::harness::{Wish, World};
use crate::agent::engine::{Closing, Stage};
use crate::agent::error::Error;
use crate::agent::state::Delivery;

#[test]
fn the_new_pairing_replaces_the_old_one_when_it_is_completed_and_keeps_its_name() {
    let w = World::paired();
    let old = (w.alice.key(), w.bob.key());
    w.pair(Wish::default(), Wish::default()).unwrap();
    let view = |key| w.alice.read(|b| b.view_peer(key));
    assert_eq!((view(old.0).stage, view(old.0).name.as_str()), (Stage::Paired, "bob"));
    assert_eq!((view(w.alice.key()).stage, view(w.alice.key()).name.as_str()), (Stage::Pending, "bob-2"));

    w.settle();
    assert_eq!(view(old.0).stage, Stage::Replaced);
    assert_eq!((view(w.alice.key()).stage, view(w.alice.key()).name.as_str()), (Stage::Paired, "bob"));
    assert_eq!(w.alice.read(|b| b.find_peer("bob")).key, w.alice.key());
    let boxes = w.alice.read(|b| b.own_boxes());
    let closing = |key| boxes.iter().find(|o| o.peer == key).map(|o| o.closing);
    assert_eq!(closing(old.0), Some(Some(Closing::Revoke)));
    assert_eq!(closing(w.alice.key()), Some(None));
    w.alice.send("in the new session").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["in the new session"]);
    w.alice.use_peer(old.0);
    assert!(matches!(w.alice.send("in the old one"), Err(Error::Replaced { .. })));
}

#[test]
fn a_name_that_the_owner_chose_stays() {
    let w = World::new();
    w.pair(Wish { name: Some("bobby"), ..Wish::default() }, Wish::default()).unwrap();
    w.settle();
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).name, "bobby");
    // The same wish again is no collision with itself.
    w.pair(Wish { name: Some("bobby"), ..Wish::default() }, Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).name, "bobby");
    w.pair(Wish { name: Some("bobby-smith"), ..Wish::default() }, Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).name, "bobby-smith");
}

#[test]
fn what_was_queued_under_the_old_one_is_given_up() {
    let w = World::paired();
    w.pair(Wish::default(), Wish::default()).unwrap();
    let new = w.alice.key();
    let old = w.alice.read(|b| b.find_peer("bob")).key;
    w.alice.use_peer(old);
    let id = w.alice.send("queued").unwrap();
    w.alice.use_peer(new);
    w.settle();
    assert_eq!(w.alice.delivery(&id), Delivery::Revoked);
    let row = w.alice.read(|b| b.delivery(&id)).unwrap();
    assert!(matches!(row.end(), Some(Error::Replaced { .. })));
}

#[test]
fn what_had_arrived_before_is_still_handed_out() {
    let w = World::paired();
    w.alice.send("just in time").unwrap();
    w.settle();
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["just in time"]);
}

#[test]
fn it_thaws_a_frozen_peer() {
    let w = World::paired();
    w.alice.tamper(|b, p| p.freeze(b.tx, b.now, 1, "test", (b"one", b"other")).unwrap());
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.alice.stage(), Stage::Paired);
    assert_eq!(w.alice.read(|b| b.find_peer("bob")).key, w.alice.key());
}

/// A thief of the old key pairs by a code that it has talked the owner out of.
#[test]
fn a_key_that_was_replaced_does_not_pair_again() {
    let mut w = World::paired();
    let old = w.alice.engine().identity.clone();
    w.alice.rotate().unwrap();
    w.settle();
    w.alice.refresh();
    let pinned = w.bob.key();
    let new = w.alice.engine().identity.clone();
    w.alice.pose_as(old);
    let refused = w.pair(Wish::default(), Wish::default());
    assert!(matches!(refused, Err(Error::StaleIdentity { peer }) if peer == "alice"));
    assert_eq!(w.bob.read(|b| Ok(b.view_peer(pinned)?.stage)), Stage::Paired);
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM peer"), 1);
    // The agent itself does, also where a rotation was not heard of.
    w.alice.pose_as(new);
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Paired, Stage::Paired));
}

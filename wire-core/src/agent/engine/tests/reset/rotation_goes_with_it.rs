use super::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;

fn rotations_heard(w: &World) -> u64 {
    w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.rotations))
}

#[test]
fn by_the_key_that_was_committed_to_the_answerer_need_not_compare_and_the_requester_must() {
    let mut w = World::paired();
    w.alice.lose_session();
    let peer = w.alice.key();
    w.alice.rotate_and(|b, rotated, next| b.ask_reset(peer, Some((rotated, next)))).unwrap();
    w.carry();
    // Also this waits for the owner.
    assert!(w.bob.is_asked() && w.bob.view().unwrap().agreed.is_none());
    assert_eq!(rotations_heard(&w), 0);
    w.bob.reset().unwrap();
    assert!(w.bob.view().unwrap().agreed.unwrap().0, "nothing is left for Bob's owner to do");
    w.carry();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Lost, Stage::Paired));
    let words = w.bob.words();
    assert!(w.alice.confirm(&words).unwrap());
    w.carry();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_eq!(rotations_heard(&w), 1);
    w.talk("after");
}

/// Alice has replaced her key and Bob has not heard of it; then her store is stolen: the new key and its statement lie
/// in it.
#[test]
fn the_new_key_alone_is_no_rotation_to_who_lags_behind() {
    let mut w = World::paired();
    let old = w.bob.session();
    w.alice.rotate().unwrap();
    drop(w.alice.post());
    w.alice.reset().unwrap();
    w.bob.take(&w.alice.post_all());
    assert!(w.bob.is_asked());
    w.bob.reset().unwrap();
    assert!(!w.bob.view().unwrap().agreed.unwrap().0, "the words have to be compared");
    assert_eq!((w.bob.session(), w.bob.stage()), (old, Stage::Paired));
    assert_eq!(rotations_heard(&w), 0);
}

#[test]
fn a_key_that_was_replaced_resets_nothing() {
    let mut w = World::paired();
    let thief = w.alice.engine().identity.clone();
    w.alice.rotate().unwrap();
    w.settle();
    w.alice.refresh();
    let session = w.bob.session();
    w.alice.pose_as(thief);
    w.alice.reset().unwrap();
    w.bob.take(&w.alice.post_all());
    assert!(!w.bob.is_asked());
    assert_eq!((w.bob.session(), w.bob.stage()), (session, Stage::Paired));
}

#[test]
fn a_rotation_takes_back_what_was_asked_for_and_waits_for_what_is_agreed() {
    let mut w = World::paired();
    w.alice.reset().unwrap();
    w.alice.rotate().unwrap();
    assert!(w.alice.view().is_none());
    w.settle();
    w.alice.refresh();
    w.agree();
    assert!(matches!(w.alice.rotate(), Err(Error::PairingUnderWay { peers }) if peers == ["bob"]));
    w.compare();
    w.alice.rotate().unwrap();
    w.carry();
    w.alice.refresh();
    assert_eq!(rotations_heard(&w), 2);
    w.talk("after");
}

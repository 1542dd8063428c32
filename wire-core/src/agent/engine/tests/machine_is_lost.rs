//! A machine is lost, and the agent made again from its recovery file: identity and peers, and no session.

use super::harness::{Side, Wish, World, pair};
use crate::agent::engine::{Closing, Stage};
use crate::agent::error::Error;
use crate::recovery::{FileKey, RecoveryFile};
use crate::tests_rng::rng;

/// Alice on another machine, from what was saved of her.
fn lose(w: &mut World) -> Side {
    let saved = w.alice.saved();
    let key = RecoveryFile::of_key(FileKey::from_bytes([1; 32]));
    let opened = key.open(&key.seal(&saved, &mut rng()).unwrap()).unwrap();
    let restored = Side::restored("alice", w.alice.now(), &opened);
    restored.use_peer(restored.read(|b| b.find_peer("bob")).key);
    std::mem::replace(&mut w.alice, restored)
}

#[test]
fn its_peers_are_known_and_nothing_is_sent_or_taken_before_there_is_a_session() {
    let mut w = World::paired();
    w.alice.send("before").unwrap();
    w.bob.send("back").unwrap();
    w.settle();
    w.alice.drain();
    let before = w.alice.read(|b| b.view_peer(w.alice.key()));
    let known = chains(&w.alice);
    let root = w.alice.engine().identity.root();
    let old = lose(&mut w);
    let alice = &w.alice;
    assert_eq!((alice.engine().identity.root(), chains(alice)), (root, known));
    let view = alice.read(|b| b.view_peer(alice.key()));
    assert_eq!((view.root, view.name, view.stage), (before.root, before.name, Stage::Lost));
    assert_eq!(view.since, before.since);
    assert_eq!(alice.value::<u64>("SELECT count(*) FROM session"), 0, "never the state of a ratchet");

    assert!(matches!(alice.send("now"), Err(Error::NeedsReset { peer }) if peer == "bob"));
    assert!(alice.write(|b| b.confirm_sas(alice.key())).is_err());
    assert!(alice.post().is_empty());
    alice.wait(60 * 24 * 3_600_000);
    alice.tick();
    assert!(alice.read(|b| b.unposted()).is_empty());
    // Its mailbox is read: by that the peer asks for a reset, or answers one.
    assert_eq!(alice.read(|b| b.own_boxes()).len(), 1);
    // It rotates, and nobody is there to be told by a record.
    assert_eq!(w.alice.rotate().unwrap(), 0);
    assert!(w.alice.read(|b| b.not_told()).is_empty());
    drop(old);
}

fn chains(side: &Side) -> (String, u64, u64) {
    (
        side.value("SELECT hex(session_id) || hex(own_head) || hex(recv_head) FROM peer"),
        side.value("SELECT own_last FROM peer"),
        side.value("SELECT recv * 1000 + proc FROM peer"),
    )
}

#[test]
fn it_pairs_again_under_the_old_name_and_the_peer_hears_of_the_rotation() {
    let mut w = World::paired();
    lose(&mut w);
    w.alice.rotate().unwrap();
    let restored = w.alice.key();
    w.pair(Wish::default(), Wish::default()).unwrap();
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).name, "bob-2", "until it is completed");
    w.settle();
    for (side, name) in [(&w.alice, "bob"), (&w.bob, "alice")] {
        let view = side.read(|b| b.find_peer(name));
        assert_eq!((view.stage, view.key), (Stage::Paired, side.key()), "{name}");
    }
    assert_eq!(w.bob.read(|b| b.find_peer("alice")).rotations, 1);
    // The old mailbox is closed by whoever has its key.
    assert_eq!(w.alice.read(|b| b.view_peer(restored)).stage, Stage::Replaced);
    let closing = w.alice.read(|b| b.own_boxes()).into_iter().find(|own| own.peer == restored);
    assert_eq!(closing.unwrap().closing, Some(Closing::Revoke));
    w.alice.send("here again").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["here again"]);
}

#[test]
fn a_restored_peer_keeps_its_name_from_others_and_can_be_revoked() {
    let mut w = World::paired();
    lose(&mut w);
    let other = Side::new("bob");
    let refused = pair((&w.alice, Wish { name: Some("bob"), ..Wish::default() }), (&other, Wish::default()));
    assert!(matches!(refused, Err(Error::NameTaken { .. })));
    let bob = w.alice.read(|b| b.find_peer("bob")).key;
    w.alice.write(|b| b.retire(bob, Stage::Revoked)).unwrap();
    assert_eq!(w.alice.read(|b| b.view_peer(bob)).stage, Stage::Revoked);
    assert_eq!(w.alice.read(|b| b.own_boxes()).len(), 1, "to be closed");
}

/// A thief of an old key of Bob's, and of Alice's having been restored, gains nothing.
#[test]
fn a_key_that_a_restored_peer_had_replaced_does_not_pair() {
    let mut w = World::paired();
    let old = w.bob.engine().identity.clone();
    w.bob.rotate().unwrap();
    w.settle();
    w.bob.refresh();
    lose(&mut w);
    w.bob.pose_as(old);
    let refused = w.pair(Wish::default(), Wish::default());
    assert!(matches!(refused, Err(Error::StaleIdentity { peer }) if peer == "bob"));
}

#[test]
fn a_file_of_before_a_rotation_makes_an_agent_that_no_peer_pairs_with() {
    let mut w = World::paired();
    let early = w.alice.saved();
    w.alice.rotate().unwrap();
    w.settle();
    w.alice = Side::restored("alice", w.alice.now(), &early);
    let refused = w.pair(Wish::default(), Wish::default());
    assert!(matches!(refused, Err(Error::StaleIdentity { peer }) if peer == "alice"));
}

/// Two machines are restored from one file, and each rotates: two statements with one number.
#[test]
fn a_fork_of_the_identity_is_refused_and_shown_by_who_knows_the_other_branch() {
    let mut w = World::paired();
    let saved = w.alice.saved();
    let mut twin = Side::restored("alice", w.alice.now(), &saved);
    w.alice.rotate().unwrap();
    w.settle();
    twin.rotate().unwrap();
    assert_ne!(twin.engine().identity.key().public(), w.alice.engine().identity.key().public());
    // It pairs no more under the same name.
    let refused = pair((&twin, Wish::default()), (&w.bob, Wish::default()));
    assert!(matches!(refused, Err(Error::StaleIdentity { peer }) if peer == "alice"));
    // And where it had paired before either rotated, its rotation is the one that does not count.
    let mut w = World::paired();
    let saved = w.alice.saved();
    let fork = saved.identity.rotate(&saved.next, &mut rng()).unwrap().0;
    w.alice.rotate().unwrap();
    w.settle();
    w.alice.refresh();
    w.bob.take(&[w.alice.forge_rotation(&fork)]);
    assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.rotations)), 1);
    assert!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.rotation_refused)).is_some(), "and it is shown");
}

#[test]
fn the_second_of_two_restored_ones_takes_the_place_of_the_first() {
    let mut w = World::paired();
    let saved = w.alice.saved();
    lose(&mut w);
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    let first = w.bob.key();
    let twin = Side::restored("alice", w.alice.now(), &saved);
    let first_alice = std::mem::replace(&mut w.alice, twin);
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.bob.read(|b| b.view_peer(first)).stage, Stage::Replaced);
    // Bob takes back what the first may post to, and by that its owner learns of it.
    let closing = w.bob.read(|b| b.own_boxes()).into_iter().find(|own| own.peer == first);
    assert_eq!(closing.unwrap().closing, Some(Closing::Revoke));
    assert_eq!(first_alice.stage(), Stage::Paired, "until its next post");
}

#[test]
fn what_the_file_lacks_is_said() {
    let mut w = World::paired();
    assert_eq!(w.alice.read(|b| b.backup()), None);
    w.alice.saved();
    let missing = |w: &World| w.alice.read(|b| b.backup()).unwrap().missing;
    assert!(missing(&w).is_empty());
    assert!(w.alice.read(|b| b.has_moved_next_key()));
    w.bob.rotate().unwrap();
    w.settle();
    assert_eq!(missing(&w), ["bob"]);
    w.alice.saved();
    let carol = Side::new("carol");
    pair((&w.alice, Wish::default()), (&carol, Wish::default())).unwrap();
    assert!(missing(&w).is_empty(), "pending is not paired");
    // One that was pending when the file was written is not in it.
    let pending = w.alice.saved();
    assert_eq!(pending.peers.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["bob"]);
    carol.take(&w.alice.post());
    w.alice.take(&carol.post());
    assert_eq!(missing(&w), ["carol"]);
    assert_eq!(w.alice.saved().peers.len(), 2);
    assert!(missing(&w).is_empty());
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    assert_eq!(w.alice.saved().peers.len(), 1);
}

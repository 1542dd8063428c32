use super::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;
use crate::record::log::LogVerifier;

#[test]
fn a_frozen_session_gives_way_to_a_new_one_in_the_same_mailboxes() {
    let w = World::paired();
    let old = w.talk("before");
    let own_box = w.alice.read(|b| b.own_boxes())[0].id;
    w.alice.freeze();
    w.bob.freeze();
    w.agree();
    assert_eq!(w.stages(), (Stage::Frozen, Stage::Frozen));
    w.compare();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_ne!(w.talk("after"), old);
    let boxes = w.alice.read(|b| b.own_boxes());
    assert_eq!(boxes.iter().map(|o| (o.id, o.closing)).collect::<Vec<_>>(), [(own_box, None)]);
    assert!(w.alice.view().is_none() && w.bob.view().is_none());
    // One peer is shown, of the same name, and it is found by it.
    let peers = w.alice.read(|b| b.list_peers());
    assert_eq!(peers.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(w.alice.read(|b| b.find_peer("bob")).key, w.alice.key());
}

#[test]
fn the_old_session_goes_on_until_both_have_confirmed() {
    let w = World::paired();
    let old = w.alice.session();
    w.alice.reset().unwrap();
    assert_eq!(w.talk("asked"), old);
    w.bob.reset().unwrap();
    assert_eq!(w.talk("answered"), old);
    let (a, b) = (w.alice.words(), w.bob.words());
    assert!(w.alice.confirm(&b).unwrap());
    assert_eq!(w.talk("confirmed by one"), old);
    assert!(w.bob.confirm(&a).unwrap());
    assert_ne!(w.talk("confirmed by both"), old);
}

#[test]
fn what_is_said_while_the_two_change_over_arrives_once() {
    let w = World::paired();
    w.agree();
    let (a, b) = (w.alice.words(), w.bob.words());
    w.alice.confirm(&b).unwrap();
    w.bob.confirm(&a).unwrap();
    let from_bob = w.bob.post_all();
    // Alice is in the new session, and Bob does not know it yet.
    w.alice.take(&from_bob);
    w.alice.follow();
    w.alice.send("in the new one").unwrap();
    w.bob.send("in the old one").unwrap();
    w.carry();
    assert_eq!(w.alice.drain(), ["in the old one"]);
    assert_eq!(w.bob.drain(), ["in the new one"]);
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
}

#[test]
fn lost_messages_of_the_reset_come_again() {
    let w = World::paired();
    w.alice.reset().unwrap();
    let lost = w.alice.post_all();
    assert_eq!(lost.len(), 1);
    for minutes in [1, 2, 4, 8] {
        w.alice.wait(minutes * 60_000 - 1);
        w.alice.tick();
        assert!(w.alice.post_all().is_empty(), "{minutes}");
        w.alice.wait(1);
        w.alice.tick();
        assert_eq!(w.alice.post_all(), lost, "the same bytes, {minutes}");
    }
    w.bob.take(&lost);
    w.bob.reset().unwrap();
    let answer = w.bob.post_all();
    assert_eq!(answer.len(), 1);
    // It is lost, and Alice asks once more.
    w.wait(3_600_000);
    w.alice.tick();
    w.bob.take(&w.alice.post_all());
    assert_eq!(w.bob.post_all(), answer);
    // That is all that whoever plays it again brings about.
    w.bob.take(&lost);
    assert!(w.bob.post_all().is_empty());
    w.alice.take(&answer);
    w.wait(24 * 3_600_000);
    w.alice.tick();
    w.carry();
    w.compare();
    w.talk("found each other");
}

#[test]
fn asking_again_makes_nothing_new() {
    let w = World::paired();
    w.alice.reset().unwrap();
    let first = w.alice.post_all();
    for _ in 0..20 {
        w.alice.reset().unwrap();
    }
    assert!(w.alice.post_all().is_empty());
    w.bob.take(&first);
    w.bob.reset().unwrap();
    let words = w.bob.words();
    w.bob.reset().unwrap();
    assert_eq!(w.bob.words(), words);
    w.carry();
    w.alice.reset().unwrap();
    w.compare();
    w.talk("after all");
}

#[test]
fn no_owner_resets_more_than_five_times_in_an_hour() {
    let w = World::paired();
    for _ in 0..5 {
        w.alice.reset().unwrap();
        w.alice.write(|b| b.cancel_reset(w.alice.key())).unwrap();
    }
    assert!(matches!(w.alice.reset(), Err(Error::ResetTooOften { peer }) if peer == "bob"));
    assert!(w.alice.view().is_none());
    w.alice.wait(3_600_000);
    w.alice.reset().unwrap();
    assert!(w.alice.view().is_some());
}

#[test]
fn what_nobody_confirms_is_given_up_and_what_one_has_confirmed_is_not() {
    let week = 7 * 24 * 3_600_000;
    let w = World::paired();
    let old = w.alice.session();
    w.agree();
    let words = w.bob.words();
    w.alice.confirm(&words).unwrap();
    w.carry();
    w.wait(week + 1);
    w.alice.tick();
    w.bob.tick();
    w.carry();
    assert!(w.bob.view().is_none() && w.alice.view().is_some());
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM reset WHERE envelope IS NOT NULL"), 0);
    assert_eq!(w.talk("in the old one"), old);
    // Bob's owner begins anew, and Alice's drops what waits.
    w.bob.reset().unwrap();
    w.carry();
    assert!(w.alice.is_asked());
    w.alice.reset().unwrap();
    w.carry();
    w.compare();
    assert_ne!(w.talk("in the new one"), old);
}

#[test]
fn one_reset_follows_another() {
    let w = World::paired();
    let mut sessions = vec![w.talk("first")];
    for round in 0..3 {
        w.wait(3_600_000);
        w.agree();
        w.compare();
        sessions.push(w.talk(&format!("round {round}")));
    }
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 4);
    assert_eq!(w.alice.read(|b| b.list_peers()).len(), 1);
}

#[test]
fn the_logs_of_both_sessions_verify() {
    let w = World::paired();
    let old = w.alice.key();
    w.talk("in the old one");
    w.agree();
    w.compare();
    w.talk("in the new one");
    let new = w.alice.key();
    assert_ne!(old, new);
    for (key, records) in [(old, [2, 2]), (new, [2, 2])] {
        w.alice.use_peer(key);
        let mut log = LogVerifier::default();
        for line in w.alice.log() {
            log.take(line.to_text().as_bytes()).unwrap();
        }
        log.finish().unwrap();
        assert_eq!(w.alice.read(|b| b.log_frame(key)).counts, records);
    }
}

#[test]
fn pairing_again_ends_a_reset_that_is_under_way() {
    let w = World::paired();
    w.agree();
    w.pair(super::super::harness::Wish::default(), super::super::harness::Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert!(w.alice.view().is_none() && w.bob.view().is_none());
    assert_eq!(w.alice.value::<u64>("SELECT count(*) FROM peer WHERE state = 0"), 0);
    w.talk("paired again");
}

#[test]
fn a_peer_that_ends_the_pairing_ends_the_reset() {
    let w = World::paired();
    w.agree();
    let words = w.bob.words();
    w.alice.confirm(&words).unwrap();
    w.bob.write(|b| b.retire(w.bob.key(), Stage::Revoked)).unwrap();
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM peer WHERE state = 0"), 0);
    let peer = w.alice.key();
    w.alice.write(|b| b.refusal_proved(peer, 0, crate::mailbox::Refusal::OldEpoch)).unwrap();
    assert_eq!(w.alice.stage(), Stage::Ended);
    assert!(w.alice.view().is_none() && w.alice.post_all().is_empty());
}

#[test]
fn a_peer_that_is_no_peer_any_more_is_not_reset() {
    let w = World::paired();
    w.alice.reset().unwrap();
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    assert!(matches!(w.alice.reset(), Err(Error::Revoked { .. })));
    assert!(w.alice.post_all().is_empty());
    let w = World::pending();
    assert!(matches!(w.alice.reset(), Err(Error::NotPaired { .. })));
}

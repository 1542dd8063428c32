//! An identity gets its next key: the peer believes the key that was committed to, and no other.

use super::harness::{Side, World, draft};
use crate::agent::engine::Stage;
use crate::agent::error::Error;
use crate::agent::state::Delivery;
use crate::identity::{Identity, NextKey, STATEMENT_LEN};
use crate::record::log::LogVerifier;
use crate::record::{self, Ack, Control, ControlKind, Kind};
use crate::tests_rng::rng;

fn has_old_key(side: &Side) -> bool {
    side.value("SELECT old_seed IS NOT NULL FROM agent")
}

fn rotations_heard(side: &Side) -> u64 {
    side.read(|b| Ok(b.view_peer(side.key())?.rotations))
}

#[test]
fn the_pairing_goes_on_under_the_new_key_and_the_old_one_is_erased() {
    let mut w = World::paired();
    let before = w.alice.send("before").unwrap();
    assert_eq!(w.alice.rotate().unwrap(), 1);
    let after = w.alice.send("after").unwrap();
    assert!(has_old_key(&w.alice));
    // What is behind ROTATE waits for its acknowledgement.
    let posted = w.alice.post();
    assert_eq!(posted.len(), 2, "the message before, and ROTATE");
    assert_eq!((w.alice.delivery(&before), w.alice.delivery(&after)), (Delivery::Relayed, Delivery::Queued));
    w.bob.take(&posted);
    assert_eq!((rotations_heard(&w.bob), w.bob.drain()), (1, vec!["before".to_owned()]));
    w.alice.take(&w.bob.post());
    assert!(!has_old_key(&w.alice));
    w.alice.refresh();
    w.settle();
    assert_eq!(w.bob.drain(), ["after"]);
    w.bob.send("and back").unwrap();
    w.settle();
    assert_eq!(w.alice.drain(), ["and back"]);
    for side in [&w.alice, &w.bob] {
        assert_eq!(side.stage(), Stage::Paired);
        let mut log = LogVerifier::default();
        for line in side.log() {
            log.take(line.to_text().as_bytes()).unwrap();
        }
        log.finish().unwrap();
    }
    // And once more.
    assert_eq!(w.alice.rotate().unwrap(), 1);
    w.settle();
    assert_eq!(rotations_heard(&w.bob), 2);
}

#[test]
fn control_messages_of_the_old_key_count_until_the_first_word_of_the_new_one() {
    let mut w = World::paired();
    w.alice.rotate().unwrap();
    let rotate = w.alice.post();
    w.bob.send("wait for me").unwrap();
    w.alice.take(&w.bob.post());
    let acknowledged = w.alice.post();
    assert_eq!(acknowledged.len(), 1, "nobody has heard of the new key yet, so the old one signs");
    w.bob.take(&rotate);
    assert_eq!(w.bob.take(&acknowledged).rejected, 0);
    assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.unacked)), 0);
    w.settle();
    w.alice.refresh();
    w.alice.send("by the new key").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["by the new key"]);
    // From then on the old key is not believed in anything.
    let old: Option<Vec<u8>> = w.bob.value("SELECT old_key FROM peer");
    assert_eq!(old, None);
}

#[test]
fn the_present_key_alone_replaces_nothing_and_the_try_is_shown() {
    let w = World::paired();
    // A thief of Alice's store has her key, and neither file nor hash of the next one helps it.
    let thief = w.alice.engine().identity.clone();
    let own_next = NextKey::generate(&mut rng());
    assert!(thief.rotate(&own_next, &mut rng()).is_err());
    let forged = Identity::generate(&mut rng()).0;
    let mut chain = w.alice.chain();
    let mut page = Vec::new();
    for body in [
        forged.statements().last_statement().to_vec(),
        thief.statements().last_statement().to_vec(),
        b"no statement at all".to_vec(),
    ] {
        let draft = record::Draft { body, ..draft(Kind::Rotate, w.alice.now(), "") };
        page.push(w.alice.forge(&w.alice.sign_draft(&mut chain, None, draft).to_payload()));
    }
    w.bob.take(&page);
    let view = w.bob.read(|b| b.view_peer(w.bob.key()));
    assert_eq!((view.rotations, view.rotated), (0, None));
    assert_eq!(view.rotation_refused, Some(w.bob.now()));
    let states: String = w
        .bob
        .value("SELECT group_concat(state, ' ') FROM (SELECT state FROM inbox WHERE seq > 1 ORDER BY seq)");
    assert_eq!(states, "4 4 4", "refused");
    assert_eq!(w.bob.stage(), Stage::Paired);
}

#[test]
fn what_the_old_key_signs_afterwards_is_rejected() {
    let mut w = World::paired();
    let old = w.alice.engine().identity.clone();
    w.alice.rotate().unwrap();
    w.settle();
    w.alice.refresh();
    w.alice.send("by the new key").unwrap();
    w.settle();
    let link = w.alice.tamper(|_, p| p.link);
    let mut chain = w.alice.chain();
    let ack = w.alice.tamper(|b, p| b.plain_ack(p).unwrap());
    let stolen = chain
        .sign(old.key(), &link, ack.clone(), w.alice.now(), draft(Kind::Msg, w.alice.now(), "x"), &mut rng())
        .unwrap();
    let control = Control {
        kind: ControlKind::Ack,
        ack: Ack { recv: 0, head: record::RecordHash::from_bytes(*link.session.as_bytes()), proc: 0, ..ack },
        cseq: 1 << 40,
        last: 0,
        head: record::RecordHash::from_bytes(*link.session.as_bytes()),
        ts: w.alice.now(),
    };
    let stolen_control = record::control_payload(&control.sign(old.key(), &link));
    let page = [w.alice.forge(&stolen.to_payload()), w.alice.forge(&stolen_control)];
    assert_eq!(w.bob.take(&page).rejected, 2);
    w.alice.send("still me").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["by the new key", "still me"]);
}

#[test]
fn a_lost_rotate_is_posted_again_and_what_waits_behind_it_arrives_in_order() {
    let mut w = World::paired();
    w.alice.send("one").unwrap();
    w.alice.rotate().unwrap();
    for text in ["two", "three"] {
        w.alice.send(text).unwrap();
    }
    drop(w.alice.post());
    for _ in 0..4 {
        w.wait(120_000);
        w.alice.tick();
        w.settle();
        w.alice.refresh();
    }
    assert_eq!(w.bob.drain(), ["one", "two", "three"]);
    assert_eq!(rotations_heard(&w.bob), 1);
    assert!(!has_old_key(&w.alice));
}

#[test]
fn nothing_is_replaced_in_the_middle_of_something() {
    let mut w = World::pending();
    assert!(matches!(w.alice.rotate(), Err(Error::PairingUnderWay { .. })));
    w.settle();
    w.alice.rotate().unwrap();
    assert!(matches!(w.alice.rotate(), Err(Error::RotationUnderWay { peers }) if peers == ["bob"]));
    assert_eq!(w.alice.value::<i64>("SELECT length(statements) FROM agent"), 2 * STATEMENT_LEN as i64);
    // Who never comes again can be revoked.
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    assert_eq!(w.alice.rotate().unwrap(), 0);
    assert!(!has_old_key(&w.alice));
}

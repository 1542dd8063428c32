use super::super::harness::Wish;
use super::{Side, World};
use crate::agent::engine::Stage;
use crate::agent::error::Error;

impl Side {
    /// The pairing is restored, without its session and all that was said in it.
    pub(super) fn lose_session(&self) {
        self.write(|b| {
            b.tx.execute_batch(
                "DELETE FROM session; DELETE FROM outbox; DELETE FROM inbox; DELETE FROM outbox_record;
                 DELETE FROM inbox_record; DELETE FROM outbox_envelope;
                 UPDATE peer SET state = 3, session_id = zeroblob(32), own_last = 0, own_head = zeroblob(32),
                    recv = 0, recv_head = zeroblob(32), proc = 0, peer_recv = 0, peer_proc = 0, peer_seen = 0,
                    unacked = 0, cseq_own = 0, cseq_peer = 0, peer_last = 0, said_recv = 0, said_proc = 0,
                    control = NULL, control_due = 0, status_at = NULL, own_signed = NULL, peer_signed = NULL
                 WHERE state < 4;",
            )?;
            Ok(())
        })
        .unwrap();
    }
}

/// With what a recovery file has.
#[test]
fn from_its_recovery_file() {
    let mut w = World::paired();
    w.talk("before");
    let saved = w.alice.saved();
    w.bob.send("never received").unwrap();
    w.carry();
    w.alice = Side::restored("alice", w.alice.now(), &saved);
    w.alice.use_peer(w.alice.read(|b| b.find_peer("bob")).key);
    assert_eq!(w.alice.stage(), Stage::Lost);
    w.agree();
    w.compare();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_eq!(w.alice.drain(), ["never received"]);
    w.talk("after");
    assert!(w.alice.read(|b| b.backup()).unwrap().missing.is_empty(), "the file has all that is kept of it");
}

#[test]
fn nothing_is_said_or_heard_and_a_reset_brings_it_back() {
    let w = World::paired();
    w.bob.send("processed by who has lost it").unwrap();
    w.carry();
    w.alice.drain();
    w.carry();
    w.bob.send("open").unwrap();
    w.carry();
    w.alice.lose_session();
    assert_eq!(w.alice.stage(), Stage::Lost);
    match w.alice.send("no") {
        Err(error @ Error::NeedsReset { .. }) => {
            assert_eq!(error.code(), "needs_reset");
            assert!(error.hint().unwrap().contains("wire peers reset"));
        }
        other => panic!("{other:?}"),
    }
    // Its mailbox is read, and what it cannot open changes nothing.
    assert_eq!(w.alice.read(|b| b.own_boxes()).len(), 1);
    w.bob.send("not opened").unwrap();
    w.carry();
    assert_eq!(w.alice.stage(), Stage::Lost);
    assert!(w.alice.read(|b| b.list_inbox(10)).is_empty());

    w.agree();
    assert_eq!(w.alice.stage(), Stage::Lost);
    w.compare();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_eq!(w.alice.drain(), ["open", "not opened"]);
    w.carry();
    // HELLO, and the two that were received.
    assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.lost)), Some((1, 3)));
    w.talk("after");
}

#[test]
fn it_answers_a_reset_too() {
    let w = World::paired();
    w.alice.send("unknown to who has said it").unwrap();
    w.carry();
    w.alice.lose_session();
    w.bob.reset().unwrap();
    w.carry();
    assert!(w.alice.is_asked());
    w.alice.reset().unwrap();
    w.carry();
    w.compare();
    assert_eq!(w.bob.drain(), ["unknown to who has said it"]);
    w.talk("after");
}

#[test]
fn pairing_again_brings_it_back_too_and_it_can_be_revoked() {
    let w = World::paired();
    let lost = w.alice.key();
    w.alice.lose_session();
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    w.talk("after");
    assert_eq!(w.alice.read(|b| Ok(b.view_peer(lost)?.stage)), Stage::Replaced);
    assert!(matches!(w.alice.write(|b| b.reset(lost)), Err(Error::Replaced { .. })));
    w.alice.lose_session();
    let peer = w.alice.key();
    w.alice.write(|b| b.retire(peer, Stage::Revoked)).unwrap();
    assert!(matches!(w.alice.send("no"), Err(Error::Revoked { .. })));
}

#[test]
fn a_row_without_a_session_that_is_not_over_is_damage() {
    let w = World::paired();
    w.alice.write(|b| Ok(b.tx.execute_batch("DELETE FROM session")?)).unwrap();
    let refused = w.alice.send("no");
    assert!(matches!(refused, Err(Error::Store(_))), "{refused:?}");
}

use super::harness::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;
use crate::record::{self, Ack, Control, ControlKind, RecordHash};

/// Bob, dishonest, acknowledges as he likes; what Alice thinks of it.
fn after(change: impl FnOnce(&mut Ack)) -> (World, Stage) {
    let w = World::paired();
    w.alice.send("one").unwrap();
    w.settle();
    let payload = w.bob.tamper(|b, p| {
        let mut ack = b.plain_ack(p).unwrap();
        change(&mut ack);
        let c = Control {
            kind: ControlKind::Ack,
            ack,
            cseq: p.cseq_own + 1,
            last: p.own.last,
            head: p.own.head,
            ts: b.now,
        };
        record::control_payload(&c.sign(b.engine.identity.key(), &p.link))
    });
    w.alice.take(&[w.bob.forge(&payload)]);
    let stage = w.alice.stage();
    (w, stage)
}

#[test]
fn the_session_freezes_and_nothing_more_is_sent() {
    let (w, stage) = after(|ack| ack.recv = 3);
    assert_eq!(stage, Stage::Frozen);
    assert!(matches!(w.alice.send("more"), Err(Error::SessionFrozen { .. })));
    assert!(w.alice.post().is_empty());
    assert_eq!(w.alice.value::<String>("SELECT what FROM evidence"), "foreign acknowledgement");
}

#[test]
fn another_head_freezes() {
    assert_eq!(after(|ack| ack.head = RecordHash::from_bytes([1; 32])).1, Stage::Frozen);
    assert_eq!(after(|ack| ack.recv = 1).1, Stage::Frozen, "the head of another record");
}

#[test]
fn more_processed_than_received_or_seen_than_said_freezes() {
    assert_eq!(after(|ack| ack.proc = ack.recv + 1).1, Stage::Frozen);
    assert_eq!(after(|ack| ack.seen = 9).1, Stage::Frozen);
    assert_eq!(after(|ack| ack.recv = i64::MAX as u64).1, Stage::Frozen);
}

#[test]
fn an_honest_one_does_not() {
    assert_eq!(after(|_| ()).1, Stage::Paired);
}

/// A record says less than one before it did: its signer went back in time.
#[test]
fn one_that_goes_back_from_seq_to_seq_freezes() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    w.settle();
    let mut chain = w.bob.chain();
    let old = w.bob.tamper(|b, p| {
        let mut ack = b.plain_ack(p).unwrap();
        (ack.recv, ack.proc) = (0, 0);
        ack.head = RecordHash::from_bytes(*p.link.session.as_bytes());
        ack
    });
    let first = w.bob.sign(&mut chain, None, "first");
    let second = w.bob.sign(&mut chain, Some(old), "second");
    w.alice.take(&[w.bob.forge(&first.to_payload())]);
    assert_eq!(w.alice.stage(), Stage::Paired);
    w.alice.take(&[w.bob.forge(&second.to_payload())]);
    assert_eq!(w.alice.stage(), Stage::Frozen);
}

/// A record that was signed before a control message, and arrives after it, says less. That is honest.
#[test]
fn one_that_is_older_than_a_control_message_does_not() {
    let w = World::paired();
    w.bob.send("slow").unwrap();
    let slow = w.bob.post();
    w.alice.send("one").unwrap();
    w.bob.take(&w.alice.post());
    w.alice.take(&w.bob.post());
    w.alice.take(&slow);
    assert_eq!(w.alice.stage(), Stage::Paired);
    assert_eq!(w.alice.drain(), ["slow"]);
}

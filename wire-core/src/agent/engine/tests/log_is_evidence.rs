//! What a store writes as a log convinces a verifier that has no key of either side.

use super::harness::{Side as Agent, World};
use crate::agent::engine::Stage;
use crate::record::SendChain;
use crate::record::log::{LogLine, LogReport, LogVerifier, Side};

impl Agent {
    /// All lines, as [`LogReader`](crate::agent::LogReader) gives them.
    pub(super) fn log(&self) -> Vec<LogLine> {
        self.read(|b| {
            let frame = b.log_frame(self.key())?;
            let mut lines = vec![frame.head];
            for (by, top) in [Side::Own, Side::Peer].into_iter().zip(frame.counts) {
                let mut after = 0;
                while after < top {
                    let page = b.log_page(self.key(), by, after, top)?;
                    after = page.last().unwrap().0;
                    lines.extend(page.into_iter().map(|(_, line)| line));
                }
            }
            lines.extend(frame.tail);
            Ok(lines)
        })
    }

    fn proved(&self) -> LogReport {
        let mut log = LogVerifier::default();
        for line in self.log() {
            log.take(line.to_text().as_bytes()).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        }
        log.finish().unwrap()
    }
}

#[test]
fn both_sides_prove_the_same_and_each_that_the_other_has_it() {
    let w = World::paired();
    for n in 0..100 {
        w.alice.send(&n.to_string()).unwrap();
    }
    w.settle();
    w.bob.drain();
    w.bob.send("all of it").unwrap();
    w.settle();
    let (alice, bob) = (w.alice.proved(), w.bob.proved());
    assert_eq!((alice.own.records, alice.own.received, alice.own.processed), (101, 101, 101));
    assert_eq!((alice.peer.records, alice.peer.received, alice.peer.processed), (2, 2, 1));
    assert_eq!(alice.own.head, bob.peer.head);
    assert_eq!(alice.peer.head, bob.own.head);
    assert_eq!((bob.peer.received, bob.peer.signed), (101, 101));
    assert_eq!((alice.own.pruned, alice.peer.pruned), (0, 0));
}

#[test]
fn bodies_are_pruned_when_both_are_done_with_them_and_the_log_goes_on_to_verify() {
    let w = World::paired();
    for text in ["one", "two"] {
        w.alice.send(text).unwrap();
        w.settle();
        w.bob.drain();
        w.settle();
    }
    w.bob.send("not read yet").unwrap();
    w.settle();
    w.alice.send("nor is this").unwrap();
    w.alice.wait(60_000);
    let before = w.alice.now();
    let forgotten = w.alice.write(|b| b.prune_bodies(w.alice.key(), before)).unwrap();
    assert_eq!(forgotten, 4, "the bodies of both HELLO, one and two");
    assert_eq!(w.alice.write(|b| b.prune_bodies(w.alice.key(), before)).unwrap(), 0);
    let proved = w.alice.proved();
    assert_eq!((proved.own.records, proved.own.pruned), (4, 3));
    assert_eq!((proved.peer.records, proved.peer.pruned), (2, 1));
    w.settle();
    assert_eq!(w.bob.drain(), ["nor is this"]);
    assert_eq!(w.alice.drain(), ["not read yet"]);
    assert_eq!(w.bob.proved().own.pruned, 0);
}

#[test]
fn the_proof_of_two_histories_is_in_the_log() {
    let w = World::paired();
    let chain = w.alice.chain();
    for text in ["I owe you ten", "I owe you nothing"] {
        let record = w.alice.sign(&mut { chain }, None, text);
        w.bob.take(&[w.alice.forge(&record.to_payload())]);
    }
    assert_eq!(w.bob.stage(), Stage::Frozen);
    let proved = w.bob.proved();
    assert_eq!((proved.peer.conflict, proved.own.conflict), (true, false));
}

#[test]
fn so_is_the_proof_of_a_record_that_does_not_join() {
    let w = World::paired();
    let unjoined =
        SendChain { last: w.alice.chain().last, head: crate::record::RecordHash::from_bytes([7; 32]) };
    let record = w.alice.sign(&mut { unjoined }, None, "of another history");
    w.bob.take(&[w.alice.forge(&record.to_payload())]);
    assert_eq!(w.bob.stage(), Stage::Frozen);
    assert!(w.bob.proved().peer.conflict);
}

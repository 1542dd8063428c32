use super::harness::{World, outgoing};
use crate::agent::engine::Outgoing;
use crate::agent::state::{Delivery, Inward};
use crate::record::{Kind, RecordId};

fn ask(w: &World, text: &str) -> RecordId {
    w.alice.write(|b| b.send(w.alice.key(), outgoing(Kind::Ask, text))).unwrap().0
}

fn reply(w: &World, to: RecordId, text: &str) -> RecordId {
    let out = Outgoing { re: Some(to), ..outgoing(Kind::Reply, text) };
    w.bob.write(|b| b.send(w.bob.key(), out)).unwrap().0
}

#[test]
fn the_first_reply_completes_it_and_later_ones_are_ordinary() {
    let w = World::paired();
    let question = ask(&w, "how many?");
    let reply_to = || w.alice.read(|b| b.reply_to(w.alice.key(), &question)).map(|i| i.body);
    w.settle();
    assert_eq!(w.bob.drain(), ["how many?"]);
    assert_eq!(reply_to(), None);

    w.bob.send("a message in between").unwrap();
    let first = reply(&w, question, "seven");
    reply(&w, question, "eight");
    w.settle();
    assert_eq!(reply_to().as_deref(), Some(&b"seven"[..]), "past the order of the inbox");
    assert_eq!(reply_to().as_deref(), Some(&b"seven"[..]), "looking does not consume it");
    assert_eq!(w.bob.delivery(&first), Delivery::Received);
    assert_eq!(w.alice.drain(), ["a message in between", "eight"]);

    let n = w.alice.read(|b| b.reply_to(w.alice.key(), &question)).unwrap().n;
    w.alice.close(n, Inward::Processed);
    w.settle();
    assert_eq!(w.bob.delivery(&first), Delivery::Processed);
    assert_eq!(reply_to().as_deref(), Some(&b"seven"[..]), "a later process can still read it");
}

#[test]
fn a_reply_to_nothing_that_was_asked_is_a_message() {
    let w = World::paired();
    reply(&w, RecordId::from_bytes([1; 16]), "to nobody");
    w.settle();
    assert_eq!(w.alice.drain(), ["to nobody"]);
}

#[test]
fn replies_that_were_held_behind_a_gap_are_matched_too() {
    let w = World::paired();
    let question = ask(&w, "how many?");
    w.settle();
    w.bob.send("first").unwrap();
    reply(&w, question, "seven");
    reply(&w, question, "eight");
    let envelopes = w.bob.post();
    let records: Vec<_> = envelopes.iter().rev().cloned().collect();
    w.alice.take(&records);
    w.alice.take(&envelopes);
    let answer = w.alice.read(|b| b.reply_to(w.alice.key(), &question)).unwrap();
    assert_eq!(answer.body, b"seven");
    assert_eq!(w.alice.drain(), ["first", "eight"]);
}

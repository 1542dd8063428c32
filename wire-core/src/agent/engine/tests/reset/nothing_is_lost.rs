use super::super::harness::{msg, outgoing};
use super::super::mailbox_moves::{OTHER, move_to, world};
use super::World;
use crate::agent::engine::{Outgoing, Stage};
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};
use crate::record::Kind;

/// The peer has not heard of the move when the session ends.
#[test]
fn a_move_that_is_under_way_goes_over() {
    let w = world();
    move_to(&w.alice, OTHER).unwrap();
    // Not carried: it is lost with the session.
    w.alice.post_all();
    w.alice.freeze();
    w.bob.freeze();
    assert_eq!(w.alice.read(|b| b.own_boxes()).len(), 2);
    w.agree();
    w.compare();
    w.carry();
    w.talk("after");
    let key = w.bob.key().0;
    assert_eq!(w.bob.value::<String>(&format!("SELECT to_url FROM peer WHERE id = {key}")), OTHER);
    let boxes = w.alice.read(|b| b.own_boxes());
    assert!(boxes.iter().all(|own| (own.url == OTHER) == own.closing.is_none()), "the old one is closed");
}

/// A store comes back from an older copy; both sides notice, and neither can go on.
#[test]
fn a_store_that_was_rolled_back_gets_what_it_has_lost_and_nothing_twice() {
    let mut w = World::paired();
    w.talk("before the copy");
    let copy = w.alice.backup();
    w.alice.send("processed").unwrap();
    w.bob.send("processed, and forgotten").unwrap();
    w.carry();
    assert_eq!(w.bob.drain(), ["processed"]);
    assert_eq!(w.alice.drain(), ["processed, and forgotten"]);
    w.carry();
    let open = w.bob.send("received, and forgotten").unwrap();
    w.carry();
    assert_eq!(w.bob.delivery(&open), Delivery::Received);

    w.alice.restore(&copy);
    let anew = w.alice.send("said anew").unwrap();
    w.bob.take(&w.alice.post());
    assert_eq!(w.bob.stage(), Stage::Frozen);
    assert!(matches!(w.bob.send("no"), Err(Error::SessionFrozen { .. })));
    let never_sent = w.alice.send("never posted").unwrap();

    w.agree();
    w.compare();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_eq!(w.bob.drain(), ["said anew", "never posted"]);
    assert_eq!(w.alice.drain(), ["received, and forgotten"]);
    w.carry();
    for id in [anew, never_sent] {
        assert_eq!(w.alice.delivery(&id), Delivery::Processed);
    }
    assert_eq!(w.bob.delivery(&open), Delivery::Processed);
    // Bob's owner is told which records of Bob's are gone at Alice's: HELLO and the first message are not.
    assert_eq!(w.bob.read(|b| Ok(b.view_peer(w.bob.key())?.lost)), Some((3, 4)));
    assert_eq!(w.alice.read(|b| Ok(b.view_peer(w.alice.key())?.lost)), None);
    w.talk("after");
}

#[test]
fn what_was_received_and_not_processed_is_not_doubled() {
    let w = World::paired();
    let ids: Vec<_> = (0..4).map(|i| w.alice.send(&i.to_string()).unwrap()).collect();
    w.carry();
    // The first is processed, and Alice does not know it; the second is being worked on.
    let (first, _) = w.bob.claim("a").unwrap();
    w.bob.close(first, Inward::Processed);
    drop(w.bob.post_all());
    let (second, text) = w.bob.claim("a").unwrap();
    assert_eq!(text, "1");
    w.agree();
    w.compare();
    // It goes on under the same number, and no other process gets it.
    assert_eq!(w.bob.claim("b"), None);
    w.bob.close(second, Inward::Processed);
    assert_eq!(w.bob.drain(), ["2", "3"]);
    w.carry();
    for id in ids {
        assert_eq!(w.alice.delivery(&id), Delivery::Processed);
    }
    assert_eq!(w.bob.claim("b"), None);
}

#[test]
fn what_was_put_aside_or_refused_stays_so() {
    let w = World::paired();
    let ids = ["poison", "refused"].map(|text| w.alice.send(text).unwrap());
    w.carry();
    for state in [Inward::Poison, Inward::Refused] {
        let (n, _) = w.bob.claim("a").unwrap();
        w.bob.close(n, state);
    }
    // Alice does not hear of it in the old session.
    drop(w.bob.post_all());
    w.agree();
    w.compare();
    assert_eq!(w.bob.drain(), Vec::<String>::new());
    assert_eq!(w.bob.read(|b| b.list_poison(10)).len(), 1);
    assert_eq!(ids.map(|id| w.alice.delivery(&id)), [Delivery::Poison, Delivery::Refused]);
}

#[test]
fn an_ask_is_answered_in_the_new_session() {
    let w = World::paired();
    let ask = |text| w.alice.write(|b| b.send(w.alice.key(), outgoing(Kind::Ask, text))).unwrap().0;
    let (known, open) = (ask("is it known?"), ask("is it open?"));
    w.carry();
    let (n, text) = w.bob.claim("a").unwrap();
    assert_eq!(text, "is it known?");
    w.bob.close(n, Inward::Processed);
    w.carry();
    assert_eq!(w.alice.delivery(&known), Delivery::Processed);
    w.agree();
    w.compare();
    // Nobody who waits is told that it is over.
    for id in [known, open] {
        assert!(w.alice.read(|b| b.delivery(&id)).unwrap().stage.end("bob").is_none());
    }
    assert_eq!(w.bob.handle().as_deref(), Some("is it open?"));
    for re in [known, open] {
        let reply = Outgoing { re: Some(re), ..outgoing(Kind::Reply, "yes") };
        w.bob.write(|b| b.send(w.bob.key(), reply)).unwrap();
    }
    w.carry();
    for id in [known, open] {
        assert_eq!(w.alice.read(|b| b.reply_to(w.alice.key(), &id)).unwrap().body, b"yes");
    }
}

#[test]
fn a_reply_that_nobody_took_yet_is_there_once() {
    let w = World::paired();
    let (ask, _) = w.alice.write(|b| b.send(w.alice.key(), outgoing(Kind::Ask, "well?"))).unwrap();
    w.carry();
    w.bob.drain();
    let reply = Outgoing { re: Some(ask), ..outgoing(Kind::Reply, "well") };
    w.bob.write(|b| b.send(w.bob.key(), reply)).unwrap();
    w.carry();
    let before = w.alice.read(|b| b.reply_to(w.alice.key(), &ask)).unwrap();
    w.agree();
    w.compare();
    let after = w.alice.read(|b| b.reply_to(w.alice.key(), &ask)).unwrap();
    assert_eq!((before.n, before.body), (after.n, after.body));
    assert!(w.alice.drain().is_empty());
    w.alice.close(after.n, Inward::Processed);
    w.carry();
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM outbox WHERE kind = 'reply' AND state = 3"), 1);
}

#[test]
fn the_same_key_is_the_same_message_in_both_sessions() {
    let w = World::paired();
    let keyed = |key: &str| Outgoing { key: Some(key.to_owned()), ..msg(key) };
    let send = |key| w.alice.write(|b| b.send(w.alice.key(), keyed(key))).unwrap();
    let (done, open) = (send("done").0, send("open").0);
    w.carry();
    assert_eq!(w.bob.handle().as_deref(), Some("done"));
    w.carry();
    w.agree();
    w.compare();
    assert_eq!(send("done"), (done, Delivery::Processed));
    assert_eq!(send("open").0, open);
    w.carry();
    assert_eq!(w.bob.drain(), ["open"]);
}

/// More than a window holds, or a chain.
#[test]
fn whatever_is_open_goes_over_in_its_order() {
    let w = World::paired();
    let all: Vec<String> = (0..2_500).map(|i| i.to_string()).collect();
    for text in &all {
        if w.alice.send(text).is_err() {
            w.carry();
            w.alice.send(text).unwrap();
        }
    }
    w.carry();
    // All is received, and nothing processed.
    w.agree();
    let (a, b) = (w.alice.words(), w.bob.words());
    w.alice.confirm(&b).unwrap();
    w.bob.confirm(&a).unwrap();
    w.alice.take(&w.bob.post_all());
    w.alice.follow();
    assert!(matches!(w.alice.send("too early"), Err(Error::Backpressure { .. })));
    w.carry();
    let last = w.alice.send("the last").unwrap();
    w.carry();
    let heard = w.bob.drain();
    assert_eq!(heard.len(), all.len() + 1);
    assert_eq!(heard[..all.len()], all);
    assert_eq!(heard[all.len()], "the last");
    w.carry();
    assert_eq!(w.alice.delivery(&last), Delivery::Processed);
    assert_eq!(w.alice.value::<u64>("SELECT count(*) FROM outbox_envelope"), 0);
}

#[test]
fn bodies_of_both_sessions_are_pruned() {
    let w = World::paired();
    let (a, b) = (w.alice.send("processed").unwrap(), w.alice.send("open").unwrap());
    w.carry();
    assert_eq!(w.bob.handle().as_deref(), Some("processed"));
    w.agree();
    w.compare();
    assert_eq!(w.bob.drain(), ["open"]);
    w.carry();
    assert_eq!([a, b].map(|id| w.alice.delivery(&id)), [Delivery::Processed; 2]);
    for side in [&w.alice, &w.bob] {
        side.wait(1);
        side.write(|b| b.prune_bodies(side.key(), b.now)).unwrap();
    }
    assert_eq!(
        w.alice.value::<u64>("SELECT count(*) FROM outbox_record r WHERE r.body = CAST('open' AS BLOB)"),
        0
    );
    assert_eq!(
        w.bob.value::<u64>("SELECT count(*) FROM inbox_record r WHERE r.body = CAST('open' AS BLOB)"),
        0
    );
}

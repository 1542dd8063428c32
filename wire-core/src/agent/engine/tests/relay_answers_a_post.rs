use super::harness::{KEEP_MS, LIFE, Side, World};
use crate::agent::engine::{After, Post};
use crate::agent::state::Delivery;
use crate::mailbox::{Incarnation, Refusal, Verdict};
use crate::time::Timestamp;

fn next(side: &Side) -> Option<Post> {
    side.read(|b| b.next_post(side.key()))
}

const OVER: Refusal = Refusal::Quota { retry_after: 0 };

fn answer(side: &Side, post: &Post, verdicts: &[Verdict]) -> After {
    side.write(|b| b.posted(post, LIFE, verdicts, side.now().plus_millis(KEEP_MS))).unwrap()
}

#[test]
fn what_is_over_the_quota_waits_and_is_posted_again() {
    let w = World::paired();
    let ids = ["one", "two", "three"].map(|t| w.alice.send(t).unwrap());
    let post = next(&w.alice).unwrap();
    let after = answer(&w.alice, &post, &[Verdict::Stored, Verdict::Quota, Verdict::Quota]);
    assert_eq!(after, After::Refused(OVER));
    assert_eq!(ids.map(|i| w.alice.delivery(&i)), [Delivery::Relayed, Delivery::Queued, Delivery::Queued]);
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).refused.as_deref(), Some("quota"));
    let again = next(&w.alice).unwrap();
    assert_eq!(again.envelopes, post.envelopes[1..]);
    assert_eq!(answer(&w.alice, &again, &[Verdict::Stored; 2]), After::Done);
    assert_eq!(w.alice.read(|b| b.view_peer(w.alice.key())).refused, None);
}

#[test]
fn an_acknowledgement_that_was_not_stored_is_posted_again() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    w.bob.take(&w.alice.post());
    let post = next(&w.bob).unwrap();
    assert_eq!((post.records.len(), post.envelopes.len()), (0, 1));
    assert_eq!(answer(&w.bob, &post, &[Verdict::Quota]), After::Refused(OVER));
    assert_eq!(next(&w.bob).unwrap().envelopes, post.envelopes);
    assert_eq!(answer(&w.bob, &post, &[Verdict::Stored]), After::Done);
    assert!(next(&w.bob).is_none());
}

/// A newer acknowledgement was sealed while the older one was on its way.
#[test]
fn a_newer_acknowledgement_is_not_taken_for_posted() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    w.alice.send("two").unwrap();
    let envelopes = w.alice.post();
    w.bob.take(&envelopes[..1]);
    let older = next(&w.bob).unwrap();
    w.bob.take(&envelopes[1..]);
    assert_eq!(answer(&w.bob, &older, &[Verdict::Stored]), After::Done);
    assert_ne!(next(&w.bob).unwrap().envelopes, older.envelopes);
}

#[test]
fn a_relay_that_says_less_than_it_was_asked_is_not_asked_in_a_circle() {
    let w = World::paired();
    w.alice.send("one").unwrap();
    let post = next(&w.alice).unwrap();
    assert_eq!(answer(&w.alice, &post, &[]), After::Refused(Refusal::Malformed));
    let more = [Verdict::Stored; 3];
    assert_eq!(answer(&w.alice, &post, &more), After::Done);
}

#[test]
fn another_life_of_the_mailbox_gets_everything_again_and_not_at_once() {
    let w = World::paired();
    for text in ["one", "two"] {
        w.alice.send(text).unwrap();
    }
    let first = w.alice.post();
    w.alice.send("three").unwrap();
    let post = next(&w.alice).unwrap();
    let reborn = Incarnation::from_bytes([2; 16]);
    let expires = w.alice.now().plus_millis(KEEP_MS);
    let after = w.alice.write(|b| b.posted(&post, reborn, &[Verdict::Stored], expires)).unwrap();
    assert_eq!(after, After::Soon);
    let again = next(&w.alice).unwrap();
    assert!(again.envelopes.starts_with(&first));
}

#[test]
fn a_relay_that_lies_about_the_time_makes_nothing_be_posted_in_a_circle() {
    let w = World::paired();
    for expires in [0, 1, u64::MAX] {
        let id = w.alice.send("one").unwrap();
        let post = next(&w.alice).unwrap();
        let expires = Timestamp::from_millis(expires);
        w.alice.write(|b| b.posted(&post, LIFE, &[Verdict::Stored], expires)).unwrap();
        assert_eq!(w.alice.delivery(&id), Delivery::Relayed);
        w.alice.wait(5_000);
        w.alice.tick();
        assert!(next(&w.alice).is_none());
    }
}

/// Two processes have the same outbox.
#[test]
fn two_who_post_the_same_do_no_harm() {
    let w = World::paired();
    let id = w.alice.send("one").unwrap();
    let (ours, theirs) = (next(&w.alice).unwrap(), next(&w.alice).unwrap());
    answer(&w.alice, &ours, &[Verdict::Stored]);
    w.bob.take(&ours.envelopes);
    w.bob.take(&theirs.envelopes);
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.delivery(&id), Delivery::Received);
    answer(&w.alice, &theirs, &[Verdict::Same]);
    assert_eq!(w.alice.delivery(&id), Delivery::Received, "a late answer takes nothing back");
    assert_eq!(w.bob.drain(), ["one"]);
}

use super::harness::{KEEP_MS, World};
use crate::agent::state::Delivery;
use crate::mailbox::Verdict;

#[test]
fn it_is_asked_for_and_posted_again_as_it_was() {
    let w = World::paired();
    let ids: Vec<_> = (0..5).map(|i| w.alice.send(&i.to_string()).unwrap()).collect();
    let envelopes = w.alice.post();
    w.bob.take(&[&envelopes[..1], &envelopes[3..]].concat());
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.delivery(&ids[0]), Delivery::Received);
    assert_eq!(w.alice.post(), envelopes[1..3], "the two that are missing, byte for byte");
    w.bob.take(&envelopes[1..3]);
    w.settle();
    assert_eq!(w.alice.delivery(&ids[4]), Delivery::Received);
    assert_eq!(w.bob.drain(), ["0", "1", "2", "3", "4"]);
}

#[test]
fn one_that_nothing_follows_is_found_missing_by_status() {
    let w = World::paired();
    w.alice.send("the last word").unwrap();
    let lost = w.alice.post();
    assert_eq!(lost.len(), 1);
    w.wait(59_000);
    w.alice.tick();
    assert!(w.alice.post().is_empty());
    w.wait(1_000);
    w.alice.tick();
    let status = w.alice.post();
    assert_eq!(status.len(), 1);
    w.bob.take(&status);
    w.alice.take(&w.bob.post());
    assert_eq!(w.alice.post(), lost);
    w.bob.take(&lost);
    assert_eq!(w.bob.drain(), ["the last word"]);
}

#[test]
fn what_the_relay_has_dropped_by_now_is_posted_again_as_it_was() {
    let w = World::paired();
    w.alice.send("for someone on a long journey").unwrap();
    let first = w.alice.post();
    w.wait(KEEP_MS);
    w.alice.tick();
    let again = w.alice.post();
    assert_eq!(again[..1], first);
    assert_eq!(w.bob.take(&again).records, 1);
}

/// The receiver gave the envelope up after the relay had let go of it, as a restored store does: the
/// same bytes are no use any more, for the relay knows them.
#[test]
fn one_that_the_relay_has_let_go_of_is_sealed_again() {
    let w = World::paired();
    w.alice.send("first").unwrap();
    let lost = w.alice.post();
    w.alice.send("second").unwrap();
    w.bob.take(&w.alice.post());
    w.alice.take(&w.bob.post());
    let post = w.alice.read(|b| b.next_post(w.alice.key())).unwrap();
    assert_eq!(post.envelopes, lost);
    let expires = w.alice.now().plus_millis(KEEP_MS);
    w.alice.write(|b| b.posted(&post, super::harness::LIFE, &[Verdict::AckedBefore], expires)).unwrap();
    assert!(w.alice.post().is_empty(), "not before the peer says once more that it misses it");

    w.wait(60_000);
    w.alice.tick();
    w.bob.take(&w.alice.post());
    w.alice.take(&w.bob.post());
    let sealed_again = w.alice.post();
    assert_eq!(sealed_again.len(), 1);
    assert_ne!(sealed_again, lost);
    assert_eq!(w.bob.take(&sealed_again).records, 2);
    assert_eq!(w.bob.drain(), ["first", "second"]);
}

use super::harness::{Side, URL, Wish, World};
use crate::agent::engine::{Closing, Stage};
use crate::agent::error::Error;
use crate::agent::state::Delivery;
use crate::mailbox::{Certificate, Incarnation, MailboxKeyPair, Quota, Refusal, SenderKeyPair, Verdict};
use crate::tests_rng::rng;

#[test]
fn nothing_more_is_sent_taken_or_handed_out() {
    let w = World::paired();
    w.alice.send("unread").unwrap();
    w.settle();
    let relayed = w.bob.send("posted").unwrap();
    w.bob.post();
    let queued = w.bob.send("unposted").unwrap();
    w.bob.write(|b| b.retire(w.bob.key(), Stage::Revoked)).unwrap();
    assert_eq!((w.bob.delivery(&relayed), w.bob.delivery(&queued)), (Delivery::Relayed, Delivery::Revoked));
    for id in [relayed, queued] {
        let row = w.bob.read(|b| b.delivery(&id)).unwrap();
        assert!(matches!(row.end(), Some(Error::Revoked { .. })), "no acknowledgement is taken any more");
    }
    assert!(matches!(w.bob.send("no"), Err(Error::Revoked { .. })));
    assert!(w.bob.post().is_empty());
    w.alice.send("too late").unwrap();
    assert!(w.bob.try_take(&w.alice.post()).is_err());
    assert_eq!(w.bob.handle(), None);
    assert!(!w.bob.read(|b| b.has_ready()), "or a reader would wait for it in a circle");
    assert!(w.bob.read(|b| b.list_inbox(10)).is_empty());
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM outbox_envelope"), 0);

    let boxes = w.bob.read(|b| b.own_boxes());
    assert_eq!(boxes.iter().map(|o| o.closing).collect::<Vec<_>>(), [Some(Closing::Revoke)]);
    w.bob.write(|b| b.box_closed(w.bob.key())).unwrap();
    assert!(w.bob.read(|b| b.own_boxes()).is_empty());
    assert_eq!(w.bob.read(|b| b.find_peer("alice")).stage, Stage::Revoked);
}

/// The relay counts as the owner's own choice for as long as a mailbox of ours lies there.
#[test]
fn its_relay_is_chosen_until_the_mailbox_is_closed() {
    let w = World::paired();
    let is_chosen = |url| w.alice.read(|b| b.is_chosen(url));
    assert!(is_chosen(URL) && !is_chosen("https://10.0.0.1"));
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    assert!(is_chosen(URL), "it is still to be closed there");
    w.alice.write(|b| b.box_closed(w.alice.key())).unwrap();
    assert!(!is_chosen(URL));
}

/// The relay says that our certificate is revoked, and has proved that it is the one we know.
fn revoked_by_peer(side: &Side) {
    side.write(|b| b.refusal_proved(side.key(), 0, Refusal::OldEpoch)).unwrap();
}

#[test]
fn who_was_revoked_says_nothing_more_and_takes_what_was_said_before() {
    let w = World::paired();
    let relayed = w.alice.send("in time").unwrap();
    w.bob.take(&w.alice.post());
    assert_eq!(w.bob.drain(), ["in time"]);
    w.bob.send("farewell").unwrap();
    let last_words = w.bob.post();
    let queued = w.alice.send("too late").unwrap();
    revoked_by_peer(&w.alice);

    assert_eq!(w.alice.stage(), Stage::Ended);
    assert!(matches!(w.alice.send("no"), Err(Error::Ended { .. })));
    let view = w.alice.read(|b| b.view_peer(w.alice.key()));
    assert_eq!((view.queued, view.refused.as_deref()), (0, Some("old_epoch")));
    let end = |id| w.alice.read(|b| b.delivery(&id)).unwrap().end();
    assert!(matches!(end(queued), Some(Error::Ended { .. })));
    assert!(end(relayed).is_none(), "the peer may have acknowledged it before");
    assert!(w.alice.read(|b| b.own_boxes())[0].closing.is_none());

    w.alice.take(&last_words);
    assert_eq!(w.alice.drain(), ["farewell"]);
    assert_eq!(w.alice.delivery(&relayed), Delivery::Processed);
    assert_eq!(w.alice.delivery(&queued), Delivery::Revoked);
    assert!(w.alice.post().is_empty(), "not even an acknowledgement");
}

/// Not when the relay will have dropped it, nor when another process hears late of an earlier post.
#[test]
fn nothing_that_was_relayed_before_is_posted_again() {
    let w = World::paired();
    let relayed = w.alice.send("in time").unwrap();
    w.alice.post();
    let late = w.alice.send("on its way").unwrap();
    let post = w.alice.read(|b| b.next_post(w.alice.key())).unwrap();
    revoked_by_peer(&w.alice);
    let (reborn, expires) = (Incarnation::from_bytes([2; 16]), w.alice.now().plus_millis(1));
    w.alice.write(|b| b.posted(&post, reborn, &[Verdict::Stored], expires)).unwrap();
    w.alice.wait(61 * 24 * 3_600_000);
    w.alice.tick();
    assert!(w.alice.read(|b| b.unposted()).is_empty() && w.alice.post().is_empty());
    assert_eq!((w.alice.delivery(&relayed), w.alice.delivery(&late)), (Delivery::Relayed, Delivery::Revoked));
    let view = w.alice.read(|b| b.view_peer(w.alice.key()));
    assert_eq!((view.stage, view.refused.as_deref()), (Stage::Ended, Some("old_epoch")));
}

#[test]
fn a_certificate_that_was_replaced_meanwhile_ends_nothing() {
    let w = World::paired();
    let (mailbox, sender) = (MailboxKeyPair::generate(&mut rng()), SenderKeyPair::generate(&mut rng()));
    w.alice.tamper(|_, p| {
        p.to_cert = Certificate::issue(&mailbox, sender.public(), 1, Quota::default());
    });
    let id = w.alice.send("under the new one").unwrap();
    revoked_by_peer(&w.alice);
    assert_eq!((w.alice.stage(), w.alice.delivery(&id)), (Stage::Paired, Delivery::Queued));
}

#[test]
fn pairing_again_takes_the_place_of_a_pairing_that_the_peer_ended() {
    let w = World::paired();
    let old = w.alice.key();
    let queued = w.alice.send("too late").unwrap();
    revoked_by_peer(&w.alice);
    w.pair(Wish::default(), Wish::default()).unwrap();
    w.settle();
    let view = w.alice.read(|b| b.view_peer(w.alice.key()));
    assert_eq!((view.stage, view.name.as_str()), (Stage::Paired, "bob"));
    assert_eq!(w.alice.read(|b| b.view_peer(old)).stage, Stage::Replaced);
    assert_eq!(w.alice.delivery(&queued), Delivery::Revoked);
    w.alice.send("again").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["again"]);
}

//! A mailbox goes to another relay: the peer is told, and nothing is lost on the way.

use super::harness::{LIFE, Side, World, draft};
use crate::agent::engine::{Closing, NewBox, OwnBox, Post, Stage};
use crate::agent::error::Error;
use crate::agent::relay_url::{PeerRelayPolicy, PlainHttp, RelayUrl};
use crate::agent::state::Delivery;
use crate::encoding::cbor;
use crate::mailbox::{Certificate, MailboxKeyPair, Quota, Refusal, RelayId, SenderKeyPair, Verdict};
use crate::pairing::Route;
use crate::record::{self, Kind};
use crate::tests_rng::rng;

pub(super) const OTHER: &str = "https://other.example.org";
const OTHER_RELAY: RelayId = RelayId::from_bytes([8; 32]);

fn new_box(side: &Side, url: &str) -> Result<NewBox, Error> {
    let key = side.key();
    let epoch = side.write(|b| b.may_move(key, url))?;
    let (mailbox, sender) = (MailboxKeyPair::generate(&mut rng()), SenderKeyPair::generate(&mut rng()));
    let certificate = Certificate::issue(&mailbox, sender.public(), epoch, Quota::default());
    Ok(NewBox { mailbox, url: url.to_owned(), relay: OTHER_RELAY, certificate, sender })
}

pub(super) fn move_to(side: &Side, url: &str) -> Result<(), Error> {
    let new = new_box(side, url)?;
    side.write(|b| b.move_box(side.key(), &new))
}

fn boxes(side: &Side) -> Vec<OwnBox> {
    side.read(|b| b.own_boxes())
}

fn next(side: &Side) -> Option<Post> {
    side.read(|b| b.next_post(side.key()))
}

fn posted(side: &Side, post: &Post) {
    let verdicts = vec![Verdict::Stored; post.envelopes.len()];
    side.write(|b| b.posted(post, LIFE, &verdicts, side.now().plus_millis(super::harness::KEEP_MS))).unwrap();
}

/// Into the mailbox that the post is for, if its owner still has it.
fn deliver(to: &Side, post: &Post) -> bool {
    let mailbox = post.target.certificate.mailbox();
    let Some(own) = boxes(to).into_iter().find(|own| own.id == mailbox && own.closing.is_none()) else {
        return false;
    };
    let from = own.cursor.map_or(0, |c| c.seq);
    let at = |seq| crate::mailbox::Cursor { incarnation: LIFE, seq };
    let page: Vec<_> = (from + 1..).map(at).zip(post.envelopes.iter().cloned()).collect();
    to.write(|b| b.receive_page(&mailbox, own.cursor, &page)).unwrap();
    true
}

/// Carries all there is to the mailboxes that it is for.
fn settle(w: &World) {
    for _ in 0..50 {
        let mut any = false;
        for (from, to) in [(&w.alice, &w.bob), (&w.bob, &w.alice)] {
            while let Some(post) = next(from) {
                any = true;
                posted(from, &post);
                deliver(to, &post);
            }
        }
        if !any {
            return;
        }
    }
    panic!("they never stop talking");
}

/// Bob may follow anywhere public.
pub(super) fn world() -> World {
    let mut w = World::paired();
    let own = RelayUrl::parse("https://own.example.org", PlainHttp::LoopbackOnly).unwrap();
    w.bob.allow(PeerRelayPolicy::new(own, PlainHttp::LoopbackOnly));
    w
}

#[test]
fn the_peer_goes_on_at_the_new_one_and_the_old_one_is_deleted_when_nobody_posts_there() {
    let w = world();
    let old = boxes(&w.alice)[0].id;
    // One is under way to the old mailbox, and one the relay has and Alice has not.
    let lost = w.bob.send("relayed, and never fetched").unwrap();
    posted(&w.bob, &next(&w.bob).unwrap());
    w.bob.send("under way").unwrap();
    let under_way = next(&w.bob).unwrap();
    move_to(&w.alice, OTHER).unwrap();
    assert_eq!(boxes(&w.alice).len(), 2, "both are read");
    assert!(w.alice.read(|b| Ok(b.view_peer(w.alice.key())?.moving)));
    // Not twice at a time.
    assert!(matches!(move_to(&w.alice, "https://third.example.org"), Err(Error::MoveUnderWay { .. })));

    let told = next(&w.alice).unwrap();
    posted(&w.alice, &told);
    assert!(deliver(&w.bob, &told));
    let view = w.bob.read(|b| b.view_peer(w.bob.key()));
    assert_eq!((view.relay.as_str(), w.bob.delivery(&lost)), (OTHER, Delivery::Queued));
    // The post that was under way arrives at the old mailbox, and says nothing about the new one.
    posted(&w.bob, &under_way);
    assert!(deliver(&w.alice, &under_way));
    assert_eq!(w.bob.delivery(&lost), Delivery::Queued);
    // Nor does what the old relay answers from now on.
    let epoch = under_way.target.certificate.epoch();
    for refusal in [Refusal::NotFound, Refusal::OldEpoch] {
        w.bob.write(|b| b.refusal_proved(w.bob.key(), epoch, refusal)).unwrap();
    }
    assert_eq!(w.bob.stage(), Stage::Paired);

    let again = next(&w.bob).unwrap();
    assert_eq!(again.target.url, OTHER);
    settle(&w);
    assert_eq!(w.alice.drain(), ["relayed, and never fetched", "under way"]);
    let gone = boxes(&w.alice).into_iter().find(|own| own.id == old).unwrap();
    assert_eq!(gone.closing, Some(Closing::Delete));
    assert!(!w.alice.read(|b| Ok(b.view_peer(w.alice.key())?.moving)));
    w.alice.write(|b| b.mailbox_closed(w.alice.key(), &old)).unwrap();
    assert_eq!(boxes(&w.alice).len(), 1);
    assert_eq!(boxes(&w.alice)[0].closing, None);
    w.bob.send("at the new one").unwrap();
    settle(&w);
    assert_eq!(w.alice.drain(), ["at the new one"]);
    // And once more, back again.
    move_to(&w.alice, super::harness::URL).unwrap();
    settle(&w);
    assert_eq!(w.bob.read(|b| b.view_peer(w.bob.key())).relay, super::harness::URL);
}

#[test]
fn the_old_one_stays_until_all_that_was_signed_before_is_here() {
    let w = world();
    let old = boxes(&w.alice)[0].id;
    w.bob.send("one").unwrap();
    let one = next(&w.bob).unwrap();
    move_to(&w.alice, OTHER).unwrap();
    let told = next(&w.alice).unwrap();
    posted(&w.alice, &told);
    deliver(&w.bob, &told);
    // The acknowledgement of MOVE comes alone: what was signed before it is missing.
    let later = next(&w.bob).unwrap();
    posted(&w.bob, &later);
    let control = Post {
        target: later.target,
        records: Vec::new(),
        envelopes: vec![later.envelopes.last().unwrap().clone()],
    };
    assert!(deliver(&w.alice, &control));
    let still = |w: &World| boxes(&w.alice).into_iter().any(|own| own.id == old && own.closing.is_none());
    assert!(still(&w));
    posted(&w.bob, &one);
    assert!(deliver(&w.alice, &one));
    assert!(!still(&w));
}

#[test]
fn a_relay_that_the_peers_policy_forbids_is_refused_and_the_old_one_is_the_one_again() {
    for url in ["https://10.0.0.1", "http://other.example.org", "https://localhost", "https://relay.internal"]
    {
        let w = world();
        let old = boxes(&w.alice)[0].id;
        move_to(&w.alice, url).unwrap();
        settle(&w);
        assert_eq!(w.bob.read(|b| b.view_peer(w.bob.key())).relay, super::harness::URL, "{url}");
        let view = w.alice.read(|b| b.view_peer(w.alice.key()));
        assert_eq!((view.own_relay.as_str(), view.moving), (super::harness::URL, false), "{url}");
        assert_eq!(view.move_refused, Some(w.alice.now()));
        let (kept, gone): (Vec<_>, Vec<_>) =
            boxes(&w.alice).into_iter().partition(|own| own.closing.is_none());
        assert_eq!((kept.len(), kept[0].id, gone.len()), (1, old, 1));
        assert_eq!((gone[0].url.as_str(), gone[0].closing), (url, Some(Closing::Delete)));
        w.bob.send("where it was").unwrap();
        settle(&w);
        assert_eq!(w.alice.drain(), ["where it was"]);
        // Without a policy nothing that the owner did not choose is used.
        assert!(move_to(&w.alice, OTHER).is_ok());
    }
}

#[test]
fn a_move_that_proves_nothing_is_refused() {
    let w = world();
    let honest = new_box(&w.alice, OTHER).unwrap();
    let other = new_box(&w.alice, OTHER).unwrap();
    let current = next_certificate(&w);
    let (seed, seed_of_other) = (honest.sender.seed(), other.sender.seed());
    let route = Route {
        url: OTHER,
        relay: OTHER_RELAY,
        mailbox: honest.mailbox.public(),
        certificate: honest.certificate.as_bytes(),
        sender_seed: seed.as_ref(),
    };
    let mut bent = *honest.certificate.as_bytes();
    bent[70] ^= 1;
    let same_epoch = Certificate::issue(&honest.mailbox, honest.sender.public(), current, Quota::default());
    let mut bodies: Vec<Vec<u8>> = [
        Route { sender_seed: seed_of_other.as_ref(), ..route },
        Route { mailbox: other.mailbox.public(), ..route },
        Route { certificate: &bent, ..route },
        Route { certificate: same_epoch.as_bytes(), ..route },
        Route { url: "file:///etc/passwd", ..route },
        // The relay there is known by another key.
        Route { url: "https://known.example.org", ..route },
    ]
    .iter()
    .map(cbor::to_vec)
    .collect();
    bodies.push(b"no route".to_vec());
    bodies.push([cbor::to_vec(&route), vec![0]].concat());
    let known = crate::agent::engine::KnownRelay { id: RelayId::from_bytes([1; 32]), offset_ms: 0 };
    w.bob.write(|b| b.note_relay("https://known.example.org", known)).unwrap();
    let mut chain = w.alice.chain();
    let count = bodies.len();
    let page: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let draft = record::Draft { body, ..draft(Kind::Move, w.alice.now(), "") };
            w.alice.forge(&w.alice.sign_draft(&mut chain, None, draft).to_payload())
        })
        .collect();
    w.bob.take(&page);
    assert_eq!(w.bob.read(|b| b.view_peer(w.bob.key())).relay, super::harness::URL);
    let states: String = w
        .bob
        .value("SELECT group_concat(state, ' ') FROM (SELECT state FROM inbox WHERE seq > 1 ORDER BY seq)");
    assert_eq!(states, vec!["4"; count].join(" "), "refused");
    assert_eq!(w.bob.stage(), Stage::Paired);
}

/// The epoch of the certificate by which Bob posts.
fn next_certificate(w: &World) -> u32 {
    w.bob.tamper(|_, p| p.to_cert.epoch())
}

#[test]
fn a_peer_that_is_not_heard_of_keeps_the_old_one_for_thirty_days() {
    let w = world();
    let old = boxes(&w.alice)[0].id;
    move_to(&w.alice, OTHER).unwrap();
    let still = |w: &World| boxes(&w.alice).into_iter().any(|own| own.id == old && own.closing.is_none());
    w.wait(30 * 24 * 3_600_000 - 1);
    w.alice.tick();
    assert!(still(&w));
    w.wait(1);
    w.alice.tick();
    assert!(!still(&w));
    // What it then reads is where to go.
    settle(&w);
    w.bob.send("after all").unwrap();
    settle(&w);
    assert_eq!(w.alice.drain(), ["after all"]);
    assert!(move_to(&w.alice, "https://third.example.org").is_ok());
}

/// What an application leaves lying holds up no move: that the peer posts to the new mailbox says enough.
#[test]
fn a_message_that_nobody_processes_does_not_keep_the_old_one() {
    let w = world();
    let old = boxes(&w.alice)[0].id;
    w.alice.send("lies in the inbox").unwrap();
    settle(&w);
    move_to(&w.alice, OTHER).unwrap();
    settle(&w);
    let closing = boxes(&w.alice).into_iter().find(|own| own.id == old).unwrap().closing;
    assert_eq!(closing, Some(Closing::Delete));
    // Its relay never comes back to delete it.
    w.wait(30 * 24 * 3_600_000);
    w.alice.tick();
    assert_eq!(boxes(&w.alice).len(), 1);
    assert_eq!(w.bob.drain(), ["lies in the inbox"]);
}

/// A refusal that is heard of late comes in time: until then nothing is deleted.
#[test]
fn a_refusal_behind_what_nobody_processes_is_heard_of() {
    let w = world();
    let old = boxes(&w.alice)[0].id;
    w.alice.send("lies in the inbox").unwrap();
    settle(&w);
    move_to(&w.alice, "https://10.0.0.1").unwrap();
    settle(&w);
    let closing =
        |w: &World| boxes(&w.alice).into_iter().map(|own| (own.id == old, own.closing)).collect::<Vec<_>>();
    assert!(closing(&w).iter().all(|(_, closing)| closing.is_none()), "{:?}", closing(&w));
    assert_eq!(w.bob.drain(), ["lies in the inbox"]);
    w.bob.send("done").unwrap();
    settle(&w);
    assert!(closing(&w).contains(&(true, None)) && closing(&w).contains(&(false, Some(Closing::Delete))));
}

#[test]
fn a_pairing_that_ends_closes_both() {
    let w = world();
    move_to(&w.alice, OTHER).unwrap();
    w.alice.write(|b| b.retire(w.alice.key(), Stage::Revoked)).unwrap();
    let closing: Vec<_> = boxes(&w.alice).into_iter().map(|own| (own.url, own.closing)).collect();
    assert_eq!(closing.len(), 2);
    assert!(closing.iter().all(|(_, closing)| closing.is_some()), "{closing:?}");
    assert!(matches!(move_to(&w.alice, OTHER), Err(Error::Revoked { .. })));
}

#[test]
fn it_goes_nowhere_where_it_is_and_not_before_the_pairing_is_complete() {
    let w = World::pending();
    assert!(matches!(move_to(&w.alice, OTHER), Err(Error::NotPaired { .. })));
    w.settle();
    assert!(matches!(move_to(&w.alice, super::harness::URL), Err(Error::Usage(_))));
}

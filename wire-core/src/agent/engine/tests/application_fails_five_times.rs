use super::harness::{Side, World};
use crate::agent::engine::{Handed, InboxItem, Stage};
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};

fn claim(side: &Side, process: &str) -> Box<InboxItem> {
    match side.write(|b| b.claim_next(process, |process| process != "dead")).unwrap() {
        Handed::Item(item) => item,
        Handed::Spent(_) | Handed::Nothing => panic!("nothing was handed out"),
    }
}

fn poison(side: &Side) -> Vec<Vec<u8>> {
    side.read(|b| b.list_poison(10)).into_iter().map(|item| item.body).collect()
}

#[test]
fn the_record_is_put_aside_as_poison_and_the_next_one_comes() {
    let w = World::paired();
    let bad = w.alice.send("crashes the application").unwrap();
    w.alice.send("next").unwrap();
    w.settle();
    for comes_again in [true, true, true, true, false] {
        let item = claim(&w.bob, "me");
        assert_eq!(item.body, b"crashes the application");
        assert!(poison(&w.bob).is_empty());
        assert_eq!(w.bob.write(|b| b.give_back(&item)).unwrap(), comes_again);
    }
    // It is so, and told, before anybody asks for more.
    w.settle();
    assert_eq!(w.alice.delivery(&bad), Delivery::Poison);
    assert_eq!(poison(&w.bob), [b"crashes the application"]);
    let peer = w.bob.read(|b| b.view_peer(w.bob.key()));
    assert_eq!((peer.poison, peer.rejected, peer.unread), (1, 0, 1));
    assert_eq!(w.bob.handle().as_deref(), Some("next"));
    assert_eq!(poison(&w.bob).len(), 1);
}

/// Nobody is left to give the last one back.
#[test]
fn so_is_one_that_ends_its_process_each_time() {
    let w = World::paired();
    let bad = w.alice.send("ends the process").unwrap();
    w.settle();
    for _ in 0..5 {
        assert_eq!(claim(&w.bob, "dead").body, b"ends the process");
    }
    assert_eq!(w.bob.claim_if("me", |process| process != "dead"), None);
    w.settle();
    assert_eq!(w.alice.delivery(&bad), Delivery::Poison);
    assert_eq!(poison(&w.bob), [b"ends the process"]);
}

/// Its claim ran out, and another process is at the record: it must not lose it, least of all for good.
#[test]
fn who_gives_back_too_late_takes_it_from_nobody() {
    let w = World::paired();
    w.alice.send("takes long").unwrap();
    w.settle();
    for _ in 0..3 {
        claim(&w.bob, "dead");
    }
    let late = claim(&w.bob, "dead");
    let fifth = claim(&w.bob, "me");
    assert!(w.bob.write(|b| b.give_back(&late)).unwrap());
    assert_eq!(w.bob.claim("another"), None);
    assert!(!w.bob.write(|b| b.give_back(&fifth)).unwrap());
    assert!(w.bob.write(|b| b.give_back(&fifth)).unwrap(), "it is over");
    assert_eq!(poison(&w.bob).len(), 1);
}

#[test]
fn the_newest_are_shown_in_their_order() {
    let w = World::paired();
    for text in ["one", "two", "three"] {
        w.alice.send(text).unwrap();
    }
    w.settle();
    while let Some((n, _)) = w.bob.claim("me") {
        w.bob.close(n, Inward::Poison);
    }
    let newest = w.bob.read(|b| b.list_poison(2)).into_iter().map(|item| item.body);
    assert!(newest.eq([b"two".to_vec(), b"three".to_vec()]));
}

/// What the sender was told is final: who says something else hears of it.
#[test]
fn what_is_settled_cannot_be_settled_otherwise() {
    let w = World::paired();
    let sent = ["poison", "refused", "processed"].map(|text| w.alice.send(text).unwrap());
    w.settle();
    let close = |n, state| w.bob.write(|b| b.close(n, state));
    let settled = |n, state| match close(n, state) {
        Err(Error::Settled { state }) => state,
        other => panic!("{other:?}"),
    };
    let mut rows = Vec::new();
    for state in [Inward::Poison, Inward::Refused, Inward::Processed] {
        let (n, _) = w.bob.claim("me").unwrap();
        close(n, state).unwrap();
        close(n, state).expect("again is the same");
        rows.push(n);
    }
    assert_eq!(settled(rows[0], Inward::Processed), Delivery::Poison);
    assert_eq!(settled(rows[0], Inward::Refused), Delivery::Poison);
    assert_eq!(settled(rows[1], Inward::Processed), Delivery::Refused);
    assert_eq!(settled(rows[2], Inward::Refused), Delivery::Processed);
    close(rows[2], Inward::Poison).expect("who was late to put it aside has nothing to say");
    w.settle();
    let told = sent.map(|id| w.alice.delivery(&id));
    assert_eq!(told, [Delivery::Poison, Delivery::Refused, Delivery::Processed]);

    w.bob.write(|b| b.retire(w.bob.key(), Stage::Revoked)).unwrap();
    close(rows[1], Inward::Processed).expect("nobody is told anything any more");
}

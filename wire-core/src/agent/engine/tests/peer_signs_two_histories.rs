use super::harness::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;

#[test]
fn both_are_kept_and_the_session_freezes() {
    let w = World::paired();
    let chain = w.alice.chain();
    let one = w.alice.sign(&mut { chain }, None, "I owe you ten");
    let other = w.alice.sign(&mut { chain }, None, "I owe you nothing");
    w.bob.take(&[w.alice.forge(&one.to_payload())]);
    assert_eq!(w.bob.stage(), Stage::Paired);
    w.bob.take(&[w.alice.forge(&other.to_payload())]);
    assert_eq!(w.bob.stage(), Stage::Frozen);
    let kept: (String, Vec<u8>, Vec<u8>) = w.bob.read(|b| {
        Ok(b.tx.query_row("SELECT what, one, other FROM evidence", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?)
    });
    assert_eq!(kept, ("equivocation".to_owned(), one.cose, other.cose));
    assert!(matches!(w.bob.send("well"), Err(Error::SessionFrozen { .. })));
    assert!(w.bob.post().is_empty(), "a frozen session says nothing");
    assert_eq!(w.bob.drain(), ["I owe you ten"], "what had been accepted stays so");
}

#[test]
fn a_history_that_does_not_join_freezes_too() {
    let w = World::paired();
    let mut chain = w.alice.chain();
    let mut fork = chain;
    w.alice.sign(&mut fork, None, "never shown");
    let second = w.alice.sign(&mut fork, None, "second of the other history");
    let first = w.alice.sign(&mut chain, None, "first");
    // Held first, found out when the gap fills.
    w.bob.take(&[w.alice.forge(&second.to_payload())]);
    assert_eq!(w.bob.stage(), Stage::Paired);
    w.bob.take(&[w.alice.forge(&first.to_payload())]);
    assert_eq!(w.bob.stage(), Stage::Frozen);
    assert_eq!(w.bob.drain(), ["first"]);
}

#[test]
fn ten_thousand_of_them_do_not_fill_the_disk() {
    let w = World::paired();
    let chain = w.alice.chain();
    let mut page = vec![w.alice.forge(&w.alice.sign(&mut { chain }, None, "the first").to_payload())];
    let other = w.alice.sign(&mut { chain }, None, "another");
    let wrong = w.alice.sign(
        &mut crate::record::SendChain { last: chain.last + 1, head: chain.head },
        None,
        "unjoined",
    );
    for _ in 0..500 {
        page.push(w.alice.forge(&other.to_payload()));
        page.push(w.alice.forge(&wrong.to_payload()));
        if page.len() >= 100 {
            w.bob.take(&page);
            page.clear();
            w.alice.tamper(|_, p| p.session().unwrap().room(crate::session::Lane::Reserved));
        }
    }
    assert_eq!(w.bob.stage(), Stage::Frozen);
    assert!(w.bob.value::<u64>("SELECT count(*) FROM evidence") <= 8);
    assert!(w.bob.value::<u64>("SELECT count(*) FROM quarantine") <= 256);
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM inbox"), 2);
}

/// A pairing that is not completed can freeze beside the one that it would replace.
#[test]
fn a_second_pairing_freezes_beside_the_first() {
    let w = World::paired();
    let first = (w.alice.key(), w.bob.key());
    w.pair(super::harness::Wish::default(), super::harness::Wish::default()).unwrap();
    let mut chain = w.alice.tamper(|_, p| crate::record::SendChain::start(&p.link.session));
    let fork = chain;
    let one = w.alice.sign(&mut chain, None, "one");
    let other = w.alice.sign(&mut { fork }, None, "other");
    let page = [one, other].map(|r| w.alice.forge(&r.to_payload()));
    w.bob.take(&page);
    assert_eq!(w.bob.stage(), Stage::Frozen);
    w.bob.use_peer(first.1);
    w.alice.use_peer(first.0);
    assert_eq!(w.bob.stage(), Stage::Paired);
    w.alice.send("as before").unwrap();
    w.bob.take(&w.alice.post());
    assert_eq!(w.bob.drain(), ["as before"]);
}

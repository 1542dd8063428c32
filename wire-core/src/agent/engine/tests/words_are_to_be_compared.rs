use super::harness::{Wish, World};
use crate::agent::engine::Stage;
use crate::agent::error::Error;

fn held_back() -> World {
    let w = World::new();
    w.pair(Wish { verify: true, ..Wish::default() }, Wish::default()).unwrap();
    w
}

#[test]
fn hello_waits_for_the_owner() {
    let w = held_back();
    let view = |s: &super::harness::Side| s.read(|b| b.view_peer(s.key()));
    assert_eq!(view(&w.alice).sas, view(&w.bob).sas);
    w.settle();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Pending, Stage::Pending));
    assert!(matches!(w.alice.send("no"), Err(Error::NotPaired { .. })));
    assert!(matches!(w.bob.send("no"), Err(Error::NotPaired { .. })));

    w.alice.write(|b| b.confirm_sas(w.alice.key())).unwrap();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Paired, Stage::Pending));
    w.settle();
    assert_eq!(w.bob.stage(), Stage::Paired);
    assert!(view(&w.alice).verified && !view(&w.bob).verified);
}

#[test]
fn confirmed_before_the_other_hello_came_nobody_is_paired_yet() {
    let w = held_back();
    w.alice.write(|b| b.confirm_sas(w.alice.key())).unwrap();
    assert_eq!(w.alice.stage(), Stage::Pending);
    w.settle();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Paired, Stage::Paired));
}

/// Confirming the words does not stand in for the peer's HELLO.
#[test]
fn a_peer_that_began_with_something_else_is_not_paired_by_it() {
    let w = held_back();
    let mut chain = w.bob.tamper(|_, p| crate::record::SendChain::start(&p.link.session));
    let first = w.bob.sign(&mut chain, None, "not a HELLO");
    w.alice.take(&[w.bob.forge(&first.to_payload())]);
    w.alice.write(|b| b.confirm_sas(w.alice.key())).unwrap();
    assert_eq!(w.alice.stage(), Stage::Pending);
}

#[test]
fn a_pairing_that_is_over_is_not_confirmed() {
    let w = held_back();
    w.alice.wait(24 * 3_600_000);
    w.alice.tick();
    assert!(w.alice.write(|b| b.confirm_sas(w.alice.key())).is_err());
    assert_eq!(w.alice.value::<u64>("SELECT count(*) FROM outbox"), 0);
}

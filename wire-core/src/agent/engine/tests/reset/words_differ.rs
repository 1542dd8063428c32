use super::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;

#[test]
fn the_reset_is_thrown_away_and_the_old_session_goes_on() {
    let w = World::paired();
    let old = w.alice.session();
    w.agree();
    let (a, b) = (w.alice.words(), w.bob.words());
    let swapped = b.split(' ').rev().collect::<Vec<_>>().join(" ");
    // Who types what stands on the own screen has compared nothing.
    assert!(!w.alice.confirm(&a).unwrap());
    assert!(w.alice.view().is_none());
    assert!(w.alice.read(|b| Ok(b.view_peer(w.alice.key())?.words_differed)).is_some());
    // Nothing of it can be confirmed any more, with the right words either.
    assert!(matches!(w.alice.confirm(&b), Err(Error::NoReset { peer }) if peer == "bob"));
    // What Bob's owner confirms alone comes to nothing.
    assert!(w.bob.confirm(&a).unwrap());
    w.carry();
    assert_eq!(w.stages(), (Stage::Paired, Stage::Paired));
    assert_eq!(w.talk("as before"), old);
    // A new one has other words, and is complete.
    w.wait(60_000);
    w.agree();
    assert_ne!(w.alice.words(), a);
    assert!(!w.alice.confirm(&swapped).unwrap());
    w.wait(60_000);
    w.agree();
    w.compare();
    assert_ne!(w.talk("after"), old);
    assert!(w.alice.read(|b| Ok(b.view_peer(w.alice.key())?.words_differed)).is_none());
}

#[test]
fn what_is_not_eight_words_changes_nothing() {
    let w = World::paired();
    w.agree();
    let words = w.bob.words();
    for none in ["", "oyster", "no such words as these are in the list", &format!("{words} oyster")] {
        assert!(matches!(w.alice.confirm(none), Err(Error::Usage(_))), "{none}");
    }
    w.compare();
    w.talk("after");
}

#[test]
fn without_a_reset_there_is_nothing_to_confirm() {
    let w = World::paired();
    let words = ["oyster"; 8].join(" ");
    assert!(matches!(w.alice.confirm(&words), Err(Error::NoReset { .. })));
    w.alice.reset().unwrap();
    assert!(matches!(w.alice.confirm(&words), Err(Error::NoReset { .. })));
}

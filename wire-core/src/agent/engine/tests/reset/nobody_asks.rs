use super::World;
use crate::agent::engine::Stage;

/// Whatever breaks, and however long it takes: no reset is made or answered unless an owner asks for it.
#[test]
fn no_reset_is_made_or_answered() {
    let mut w = World::paired();
    let copy = w.alice.backup();
    w.alice.send("forgotten").unwrap();
    w.bob.take(&w.alice.post());
    let acks = w.bob.post();
    w.alice.restore(&copy);
    w.alice.take(&acks);
    assert_eq!(w.alice.stage(), Stage::Frozen);
    w.bob.freeze();
    for _ in 0..40 {
        w.wait(24 * 3_600_000);
        w.alice.tick();
        w.bob.tick();
        w.carry();
    }
    for side in [&w.alice, &w.bob] {
        assert!(side.view().is_none());
        assert_eq!(side.value::<u64>("SELECT count(*) FROM reset"), 0);
        assert_eq!(side.stage(), Stage::Frozen);
    }
    // One owner's wish is not the other's.
    w.alice.reset().unwrap();
    for _ in 0..40 {
        w.wait(24 * 3_600_000);
        w.alice.tick();
        w.bob.tick();
        w.carry();
    }
    assert!(w.bob.is_asked() && w.bob.view().unwrap().agreed.is_none());
    assert_eq!(w.stages(), (Stage::Frozen, Stage::Frozen));
}

/// The peer's own key may ask as often as it likes: one of its RESETs waits, and is replaced once a minute at most.
#[test]
fn a_flood_of_resets_is_one_question() {
    let w = World::paired();
    let asked = || w.bob.value::<u64>("SELECT peer_ctr FROM reset");
    let mut heard = 0;
    for minute in 0..10 {
        for _ in 0..10 {
            w.alice.wait(1);
            w.alice
                .tamper(|b, p| b.tx.execute("UPDATE reset SET made = 0 WHERE peer = ?", [p.key.0]).unwrap());
            w.alice.write(|b| b.ask_reset(w.alice.key(), None)).unwrap();
            w.bob.take(&w.alice.post_all());
        }
        assert!(asked() > heard, "{minute}");
        let first = asked();
        w.alice.wait(1);
        w.alice.tamper(|b, p| b.tx.execute("UPDATE reset SET made = 0 WHERE peer = ?", [p.key.0]).unwrap());
        w.alice.write(|b| b.ask_reset(w.alice.key(), None)).unwrap();
        w.bob.take(&w.alice.post_all());
        assert_eq!(asked(), first);
        heard = first;
        w.bob.wait(60_000);
    }
    assert!(w.bob.is_asked());
    assert_eq!(w.bob.value::<u64>("SELECT count(*) FROM reset"), 1);
}

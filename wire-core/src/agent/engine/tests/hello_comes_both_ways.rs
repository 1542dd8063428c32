use super::harness::World;
use crate::agent::engine::Stage;
use crate::agent::error::Error;

#[test]
fn nobody_is_paired_before_the_other_side_has_proved_itself() {
    let w = World::pending();
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Pending, Stage::Pending));
    assert!(matches!(w.alice.send("too early"), Err(Error::NotPaired { .. })));

    let hello = w.alice.post();
    assert_eq!(hello.len(), 1);
    assert!(w.bob.take(&hello).paired);
    assert_eq!((w.alice.stage(), w.bob.stage()), (Stage::Pending, Stage::Paired));
    assert!(matches!(w.alice.send("still too early"), Err(Error::NotPaired { .. })));

    assert!(w.alice.take(&w.bob.post()).paired);
    assert_eq!(w.alice.stage(), Stage::Paired);
    assert_eq!(w.alice.drain(), [""; 0], "HELLO is nothing for an application");
}

#[test]
fn a_session_that_begins_with_anything_but_hello_is_never_paired() {
    use super::harness::draft;
    use crate::record::{Kind, SendChain};
    for kind in [Kind::Msg, Kind::Cert, Kind::Other("res".to_owned())] {
        let w = World::pending();
        let mut chain = w.alice.tamper(|_, p| SendChain::start(&p.link.session));
        let first = w.alice.sign_draft(&mut chain, None, draft(kind, w.alice.now(), "first"));
        let hello = w.alice.sign_draft(&mut chain, None, draft(Kind::Hello, w.alice.now(), "second"));
        let envelopes = [first, hello].map(|r| w.alice.forge(&r.to_payload()));
        w.bob.take(&envelopes);
        assert_eq!(w.bob.stage(), Stage::Pending);
        assert_eq!(w.bob.drain(), [""; 0]);
    }
}

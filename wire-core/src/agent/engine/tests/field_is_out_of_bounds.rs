use super::harness::World;
use crate::agent::engine::Outgoing;
use crate::agent::error::Error;
use crate::record::Kind;
use crate::time::Timestamp;

fn plain() -> Outgoing {
    let (ctype, body) = ("text/plain".to_owned(), b"hi".to_vec());
    Outgoing { kind: Kind::Msg, re: None, exp: None, ctype, body, key: None }
}

#[test]
fn each_field_has_its_own_sentence_and_nothing_is_queued() {
    let w = World::paired();
    let refused = |out| match w.alice.write(|b| b.send(w.alice.key(), out)) {
        Err(Error::Usage(what)) => what,
        other => panic!("{other:?}"),
    };
    let before = w.alice.chain();
    let never = Timestamp::from_millis(u64::MAX);
    assert!(refused(Outgoing { exp: Some(never), ..plain() }).contains("expire"));
    assert!(refused(Outgoing { ctype: "x".repeat(129), ..plain() }).contains("content type"));
    assert!(refused(Outgoing { ctype: "text/\n".to_owned(), ..plain() }).contains("content type"));
    assert!(refused(Outgoing { key: Some("k".repeat(129)), ..plain() }).contains("key"));
    assert_eq!(w.alice.chain(), before);
    let late = Timestamp::from_millis((1 << 53) - 1);
    w.alice.write(|b| b.send(w.alice.key(), Outgoing { exp: Some(late), ..plain() })).unwrap();
}

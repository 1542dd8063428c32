use super::harness::{World, msg};
use crate::agent::engine::Outgoing;
use crate::agent::error::Error;
use crate::agent::state::Delivery;
use crate::record::Kind;

#[test]
fn it_is_the_same_message() {
    let w = World::paired();
    let send = |key: &str, text: &str| {
        let out = Outgoing { key: Some(key.to_owned()), ..msg(text) };
        w.alice.write(|b| b.send(w.alice.key(), out)).unwrap()
    };
    let (first, state) = send("order-1", "one");
    assert_eq!(state, Delivery::Queued);
    assert_eq!(send("order-1", "one").0, first);
    w.settle();
    let (again, state) = send("order-1", "one");
    assert_eq!((again, state), (first, Delivery::Received));
    assert_ne!(send("order-2", "two").0, first);
    w.settle();
    assert_eq!(w.bob.drain(), ["one", "two"]);
}

#[test]
fn it_does_not_swallow_another_one() {
    let w = World::paired();
    let send = |kind: Kind, text: &str| {
        let out = Outgoing { key: Some("order-1".to_owned()), kind, ..msg(text) };
        w.alice.write(|b| b.send(w.alice.key(), out))
    };
    send(Kind::Msg, "one").unwrap();
    assert!(matches!(send(Kind::Msg, "two"), Err(Error::Usage(_))));
    assert!(matches!(send(Kind::Ask, "one"), Err(Error::Usage(_))));
    w.settle();
    assert_eq!(w.bob.drain(), ["one"]);
}

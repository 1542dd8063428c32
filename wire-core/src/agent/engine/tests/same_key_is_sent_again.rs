use super::harness::{World, msg};
use crate::agent::state::Delivery;

#[test]
fn it_is_the_same_message() {
    let w = World::paired();
    let send = |key: &str, text: &str| {
        let out = crate::agent::engine::Outgoing { key: Some(key.to_owned()), ..msg(text) };
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

use super::harness::{World, msg};
use crate::agent::engine::Outgoing;
use crate::agent::error::Error;

#[test]
fn a_send_fails_at_once_and_nothing_is_dropped() {
    let w = World::paired();
    let send = |text: String| w.alice.write(|b| b.send(w.alice.key(), msg(&text)));
    for i in 0..1_024 {
        send(i.to_string()).unwrap();
    }
    let Err(Error::Backpressure { waiting, .. }) = send("one too many".to_owned()) else { panic!() };
    assert_eq!(waiting, 1_024);
    let envelopes = w.alice.post();
    assert_eq!(envelopes.len(), 1_024);

    // The first is lost: all the others can be held.
    for page in envelopes[1..].chunks(128) {
        assert_eq!(w.bob.take(page).rejected, 0);
    }
    w.alice.take(&w.bob.post());
    assert!(send("still".to_owned()).is_err());
    let again = w.alice.post();
    assert_eq!(again, envelopes[..1]);
    assert_eq!(w.bob.take(&again).records, 1_024);
    w.settle();
    send("open again".to_owned()).unwrap();
    w.settle();
    let heard = w.bob.drain();
    assert_eq!((heard.len(), heard.last().unwrap().as_str()), (1_025, "open again"));
}

#[test]
fn bytes_fill_it_too() {
    let w = World::paired();
    let body = vec![7u8; 48 << 10];
    let big = || Outgoing { body: body.clone(), ..msg("") };
    let sent = (0..).take_while(|_| w.alice.write(|b| b.send(w.alice.key(), big())).is_ok()).count();
    assert_eq!(sent, 256, "16 MiB in envelopes of 64 KiB");
    let largest =
        w.alice.write(|b| b.send(w.alice.key(), Outgoing { body: vec![0; (48 << 10) + 1], ..msg("") }));
    assert!(matches!(largest, Err(Error::TooLarge { .. })));
    w.settle();
    w.alice.send("open again").unwrap();
}

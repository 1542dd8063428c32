use super::harness::{World, msg};
use crate::agent::error::Error;

#[test]
fn they_leave_in_order_and_one_that_fails_takes_none_with_it() {
    let w = World::paired();
    let sent = w
        .alice
        .batch(|b| {
            let mut sent = Vec::new();
            for i in 0..60 {
                if i % 7 == 3 {
                    let bad = b.step(|b| {
                        b.send(w.alice.key(), msg("never"))?;
                        b.send(w.alice.key(), msg("never"))?;
                        Err::<(), _>(Error::usage("the step fails after it has sealed"))
                    });
                    assert!(bad.is_err());
                }
                sent.push(b.step(|b| b.send(w.alice.key(), msg(&i.to_string())))?.0);
            }
            Ok(sent)
        })
        .unwrap();
    assert_eq!(sent.len(), 60);
    w.settle();
    let expected: Vec<String> = (0..60).map(|i| i.to_string()).collect();
    assert_eq!(w.bob.drain(), expected);
    assert_eq!(w.bob.read(|b| b.view_peer(w.bob.key())).rejected, 0);
}

/// A step may write the peers before it fails, and with them what earlier steps decided.
#[test]
fn what_was_decided_before_a_failed_step_is_written_all_the_same() {
    let w = World::paired();
    w.alice
        .batch(|b| {
            b.step(|b| b.send(w.alice.key(), msg("first")))?;
            let bad = b.step(|b| {
                b.flush()?;
                Err::<(), _>(Error::usage("the step fails after it has written"))
            });
            assert!(bad.is_err());
            Ok(())
        })
        .unwrap();
    w.alice.send("second").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["first", "second"]);
}

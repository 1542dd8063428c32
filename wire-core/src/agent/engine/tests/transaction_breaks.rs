use super::harness::{World, msg};
use crate::agent::error::Error;

/// SQLite ends a whole transaction by itself when the disk is full. What comes after it in the same
/// batch must not be taken for done.
#[test]
fn no_step_after_it_takes_effect() {
    let w = World::paired();
    let send = |b: &mut crate::agent::engine::Batch<'_>, text: &str| b.send(w.alice.key(), msg(text));
    let outcome = w.alice.batch(|b| {
        b.step(|b| send(b, "before"))?;
        let broken = b.step(|b| {
            send(b, "during")?;
            b.tx.execute_batch("ROLLBACK")?;
            Err::<(), _>(Error::usage("the disk is full"))
        });
        assert!(matches!(broken, Err(Error::Usage("the disk is full"))), "the cause is what is told");
        assert!(b.step(|b| send(b, "after")).is_err());
        b.finish()
    });
    assert!(outcome.is_err());
    assert_eq!(w.alice.value::<u64>("SELECT count(*) FROM outbox WHERE kind = 'msg'"), 0);
    w.alice.send("later").unwrap();
    w.settle();
    assert_eq!(w.bob.drain(), ["later"]);
}

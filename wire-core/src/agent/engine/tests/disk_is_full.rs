use super::harness::{World, msg};
use crate::agent::engine::Outgoing;

/// The disk has room for some of the steps of a batch. What was told to have happened has, what was
/// not has not, and the conversation goes on when there is room again.
#[test]
fn what_was_promised_is_kept_and_nothing_else_is_done() {
    let w = World::paired();
    let mut promised = 0;
    for extra in [1, 5, 40, 100] {
        let sent = w.alice.batch(|b| {
            let pages: u32 = b.tx.query_row("PRAGMA page_count", [], |r| r.get(0))?;
            b.tx.execute_batch(&format!("PRAGMA max_page_count = {}", pages + extra))?;
            let mut sent = 0;
            for _ in 0..20 {
                let big = Outgoing { body: vec![7; 20_000], ..msg("") };
                sent += usize::from(b.step(|b| b.send(w.alice.key(), big)).is_ok());
            }
            b.finish()?;
            Ok(sent)
        });
        let _ = w.alice.write(|b| Ok(b.tx.execute_batch("PRAGMA max_page_count = 1000000")?));
        assert!(!matches!(sent, Ok(20)), "the disk was not full");
        promised += sent.unwrap_or(0);
        w.settle();
        assert_eq!(w.bob.value::<usize>("SELECT count(*) FROM inbox WHERE kind = 'msg'"), promised);
    }
    w.alice.send("there is room again").unwrap();
    w.settle();
    assert_eq!(w.bob.value::<usize>("SELECT count(*) FROM inbox WHERE kind = 'msg'"), promised + 1);
}

/// What came in is not stored, so it is read again; it must not have been heard by half.
#[test]
fn what_could_not_be_stored_is_heard_when_it_comes_again() {
    let w = World::paired();
    for i in 0..20u8 {
        let big = Outgoing { body: vec![i; 20_000], ..msg("") };
        w.alice.write(|b| b.send(w.alice.key(), big)).unwrap();
    }
    let page = w.alice.post();
    let limit = |n: &str| {
        let sql = format!("PRAGMA max_page_count = {n}");
        w.bob.batch(|b| Ok(b.tx.query_row(&sql, [], |r| r.get::<_, u32>(0))?)).unwrap();
    };
    limit("1");
    assert!(w.bob.try_take(&page).is_err());
    limit("1000000");
    assert_eq!(w.bob.take(&page).records, 20);
    w.settle();
    assert_eq!(w.bob.read(|b| b.view_peer(w.bob.key())).rejected, 0);
}

use super::harness::{Child, Place, SCHEMA, ids, listen, part, put, say};
use crate::agent::store::{StoreError, StoreFile};

#[test]
fn what_was_committed_stays_and_nothing_else() {
    if let Some((_, dir)) = part() {
        let store = StoreFile::open(&dir, SCHEMA).unwrap();
        for id in 1..=5 {
            put(&store, id, b"committed").unwrap();
        }
        let never: Result<(), StoreError> = store.write(|tx| {
            tx.execute("INSERT INTO item (id, body) VALUES (6, x'00')", [])?;
            tx.execute("DELETE FROM item WHERE id = 1", [])?;
            say("inside");
            listen();
            Ok(())
        });
        panic!("the parent did not kill this process: {never:?}");
    }
    let place = Place::new();
    let mut child =
        Child::start(module_path!(), "what_was_committed_stays_and_nothing_else", "writer", &place.dir);
    assert_eq!(child.hear(), "inside");
    child.kill();

    let store = place.open();
    assert_eq!(ids(&store), [1, 2, 3, 4, 5]);
    put(&store, 6, b"the lock is free again").unwrap();
    store.verify().unwrap();
}

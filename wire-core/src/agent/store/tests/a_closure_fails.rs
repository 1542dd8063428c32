use std::panic::{AssertUnwindSafe, catch_unwind};

use super::harness::{Place, ids, put};
use crate::agent::store::StoreError;

#[derive(Debug, PartialEq)]
enum Refused {
    Policy,
    Store,
}

impl From<StoreError> for Refused {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

#[test]
fn its_error_comes_back_and_nothing_is_written() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, b"x").unwrap();
    let result: Result<(), Refused> = store.write(|tx| {
        tx.execute("DELETE FROM item", []).map_err(StoreError::from)?;
        Err(Refused::Policy)
    });
    assert_eq!(result, Err(Refused::Policy));
    assert_eq!(ids(&store), [1]);
}

#[test]
fn a_panic_rolls_back_and_leaves_the_store_usable() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, b"x").unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| {
        store.write(|tx| -> Result<(), StoreError> {
            tx.execute("DELETE FROM item", [])?;
            panic!("on purpose");
        })
    }));
    assert!(result.is_err());
    let other = place.open();
    put(&other, 2, b"the lock is free").unwrap();
    put(&store, 3, b"x").unwrap();
    assert_eq!(ids(&store), [1, 2, 3]);
}

#[test]
fn what_a_read_writes_is_rolled_back() {
    let place = Place::new();
    let store = place.open();
    let done: Result<usize, StoreError> =
        store.read(|conn| Ok(conn.execute("INSERT INTO item (id, body) VALUES (1, x'00')", [])?));
    assert_eq!(done.unwrap(), 1);
    assert!(ids(&store).is_empty());
}

#[test]
fn a_read_sees_one_state() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let counts: Result<_, StoreError> = store.read(|conn| {
        let count = || conn.query_row("SELECT count(*) FROM item", [], |row| row.get::<_, i64>(0));
        let before = count()?;
        put(&other, 1, b"x")?;
        Ok((before, count()?))
    });
    assert_eq!(counts.unwrap(), (0, 0));
    assert_eq!(ids(&store), [1]);
}

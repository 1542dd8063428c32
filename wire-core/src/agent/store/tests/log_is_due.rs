use std::fs;
use std::time::Duration;

use super::harness::{Place, ids, put};
use crate::agent::clock::Clock;
use crate::agent::store::{StoreError, WAL_AGE, WAL_LIMIT};
use crate::time::Timestamp;

fn wal(place: &Place) -> u64 {
    fs::metadata(place.file("agent.db-wal")).map_or(0, |meta| meta.len())
}

#[test]
fn after_a_minute_or_four_mebibytes_it_is_emptied() {
    let place = Place::new();
    let store = place.open();
    let clock = Clock::manual(Timestamp::from_millis(0));
    put(&store, 1, b"x").unwrap();
    assert!(!store.checkpoint_if_due(clock.monotonic()).unwrap());
    clock.advance(WAL_AGE - Duration::from_millis(1));
    assert!(!store.checkpoint_if_due(clock.monotonic()).unwrap());
    clock.advance(Duration::from_millis(1));
    assert!(store.checkpoint_if_due(clock.monotonic()).unwrap());
    assert_eq!(wal(&place), 0);

    clock.advance(WAL_AGE);
    assert!(!store.checkpoint_if_due(clock.monotonic()).unwrap(), "an empty log is never due");
    put(&store, 2, b"x").unwrap();
    assert!(store.checkpoint_if_due(clock.monotonic()).unwrap());

    put(&store, 3, &vec![1; WAL_LIMIT as usize]).unwrap();
    assert!(store.checkpoint_if_due(clock.monotonic()).unwrap());
    assert_eq!((wal(&place), ids(&store)), (0, vec![1, 2, 3]));
}

#[test]
fn a_reader_puts_it_off() {
    let place = Place::new();
    let (store, reader) = (place.open(), place.open());
    put(&store, 1, b"x").unwrap();
    store.inner().conn.busy_timeout(Duration::ZERO).unwrap();
    let put_off: Result<bool, StoreError> = reader.read(|conn| {
        conn.query_row("SELECT count(*) FROM item", [], |row| row.get::<_, i64>(0))?;
        put(&store, 2, b"y")?;
        store.checkpoint()
    });
    assert!(!put_off.unwrap());
    assert!(store.checkpoint().unwrap());
}

#[test]
fn closing_leaves_it_and_opening_empties_a_grown_one() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, b"x").unwrap();
    drop(store);
    assert!(wal(&place) > 0, "a short-lived process does not pay for a checkpoint");
    let store = place.open();
    put(&store, 2, &vec![1; WAL_LIMIT as usize]).unwrap();
    drop(store);
    assert!(wal(&place) > WAL_LIMIT);
    assert_eq!(ids(&place.open()), [1, 2]);
    assert_eq!(wal(&place), 0);
}

#[test]
fn freed_pages_go_back_to_the_file_system() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, &[1; 512 << 10]).unwrap();
    store.checkpoint().unwrap();
    let full = fs::metadata(place.file("agent.db")).unwrap().len();
    let deleted: Result<usize, StoreError> = store.write(|tx| Ok(tx.execute("DELETE FROM item", [])?));
    deleted.unwrap();
    store.checkpoint().unwrap();
    assert!(fs::metadata(place.file("agent.db")).unwrap().len() < full / 4);
}

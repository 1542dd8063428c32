use std::fs;

use super::harness::{Place, put};
use crate::agent::store::StoreError;

const SECRET: &[u8] = b"chain-key-0123456789abcdef-spent";

fn found_in(place: &Place) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(&place.dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file()
            && fs::read(entry.path()).unwrap().windows(SECRET.len()).any(|window| window == SECRET)
        {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names
}

#[test]
fn after_delete_and_checkpoint_no_file_holds_them() {
    let place = Place::new();
    let store = place.open();
    // Small and large: in a cell, and in overflow pages that become free.
    put(&store, 1, SECRET).unwrap();
    put(&store, 2, &[SECRET, &[0; 20_000], SECRET].concat()).unwrap();
    assert!(!found_in(&place).is_empty(), "the search finds what is there");
    store.checkpoint().unwrap();
    assert_eq!(found_in(&place), ["agent.db"]);

    put(&store, 1, b"the next key").unwrap();
    let deleted: Result<usize, StoreError> =
        store.write(|tx| Ok(tx.execute("DELETE FROM item WHERE id = 2", [])?));
    assert_eq!(deleted.unwrap(), 1);
    assert!(store.checkpoint().unwrap());
    assert_eq!(found_in(&place), [""; 0]);
}

#[test]
fn overwritten_while_still_in_the_log_they_are_gone_too() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, SECRET).unwrap();
    put(&store, 1, b"the next key").unwrap();
    assert_eq!(found_in(&place), ["agent.db-wal"]);
    assert!(store.checkpoint().unwrap());
    assert_eq!(found_in(&place), [""; 0]);
}

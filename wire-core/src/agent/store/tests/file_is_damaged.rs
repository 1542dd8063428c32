use std::fs;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};

use super::harness::{Place, SCHEMA, ids, put};
use crate::agent::store::{StoreError, StoreFile};

fn refused_and_left(place: &Place, detail: &str) {
    let before = fs::read(place.file("agent.db")).unwrap();
    match StoreFile::open(&place.dir, SCHEMA) {
        Err(StoreError::Corrupt { detail: found }) => {
            assert!(found.contains(detail) && found.contains("agent.db"), "{found}");
        }
        other => panic!("{other:?}"),
    }
    assert!(fs::read(place.file("agent.db")).unwrap() == before, "the file was written to");
}

fn place_with(bytes: &[u8]) -> Place {
    let place = Place::new();
    drop(place.open());
    for name in ["agent.db-wal", "agent.db-shm"] {
        fs::remove_file(place.file(name)).unwrap_or_default();
    }
    fs::write(place.file("agent.db"), bytes).unwrap();
    place
}

#[test]
fn garbage_is_refused_and_left_as_it_is() {
    refused_and_left(&place_with(&[0x5a; 8192]), "not a database");
    refused_and_left(&place_with(b"short"), "not a");
}

#[test]
fn an_emptied_file_is_not_taken_for_a_new_one() {
    refused_and_left(&place_with(b""), "not a store");
}

#[test]
fn the_database_of_another_program_is_refused() {
    let place = place_with(b"");
    fs::remove_file(place.file("agent.db")).unwrap();
    let other = rusqlite::Connection::open(place.file("agent.db")).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE notes (t TEXT);").unwrap();
    other.close().unwrap();
    fs::set_permissions(place.file("agent.db"), fs::Permissions::from_mode(0o600)).unwrap();
    refused_and_left(&place, "not a store");
}

#[test]
fn a_damaged_page_is_found_by_verify() {
    let place = Place::new();
    let store = place.open();
    for id in 0..200 {
        put(&store, id, &[7; 900]).unwrap();
    }
    store.verify().unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let file = fs::OpenOptions::new().write(true).mode(0o600).open(place.file("agent.db")).unwrap();
    for page in 4..20 {
        file.write_all_at(&[0xff; 64], page * 4096).unwrap();
    }
    drop(file);
    let store = place.open();
    assert!(matches!(store.verify(), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_creation_that_was_cut_short_is_started_over() {
    let place = Place::new();
    drop(place.open());
    fs::rename(place.file("agent.db"), place.file("agent.db.new")).unwrap();
    fs::write(place.file("agent.db.new"), b"half").unwrap();
    let key = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(place.file("next.key"));
    drop(key.unwrap());
    for name in ["agent.db-wal", "agent.db-shm"] {
        fs::remove_file(place.file(name)).unwrap_or_default();
    }
    let store = place.open();
    put(&store, 1, b"x").unwrap();
    assert_eq!(ids(&store), [1]);
    assert!(!place.file("agent.db.new").exists());
    assert!(!place.file("next.key").exists(), "it was the key of a store that never came to be");
}

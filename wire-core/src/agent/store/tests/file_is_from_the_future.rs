use std::fs;

use super::harness::{Place, SCHEMA, ids, put};
use crate::agent::store::{Migration, StoreError, StoreFile};

const NEXT: &[Migration] = &[
    Migration { sql: SCHEMA[0].sql },
    Migration {
        sql: "ALTER TABLE item ADD COLUMN note TEXT; INSERT INTO item (id, body) VALUES (99, x'00');",
    },
];

#[test]
fn it_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let newer = StoreFile::open(&place.dir, NEXT).unwrap();
    newer.checkpoint().unwrap();
    drop(newer);
    let before = fs::read(place.file("agent.db")).unwrap();
    match StoreFile::open(&place.dir, SCHEMA) {
        Err(StoreError::Newer { path, found: 2, known: 1 }) => assert_eq!(path, place.file("agent.db")),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(place.file("agent.db")).unwrap(), before);
}

#[test]
fn an_older_one_takes_only_the_steps_it_lacks() {
    let place = Place::new();
    put(&place.open(), 1, b"kept").unwrap();
    for _ in 0..2 {
        let store = StoreFile::open(&place.dir, NEXT).unwrap();
        assert_eq!(ids(&store), [1, 99]);
    }
}

#[test]
fn a_process_left_behind_by_an_upgrade_stops_writing() {
    let place = Place::new();
    let old = place.open();
    put(&old, 1, b"x").unwrap();
    drop(StoreFile::open(&place.dir, NEXT).unwrap());
    assert!(matches!(put(&old, 2, b"x"), Err(StoreError::Newer { found: 2, known: 1, .. })));
    assert_eq!(ids(&old), [1, 99]);
}

#[test]
fn a_step_that_fails_leaves_the_old_version() {
    const BROKEN: &[Migration] =
        &[Migration { sql: SCHEMA[0].sql }, Migration { sql: "DELETE FROM item; SELECT no_such_thing();" }];
    let place = Place::new();
    put(&place.open(), 1, b"kept").unwrap();
    assert!(StoreFile::open(&place.dir, BROKEN).is_err());
    assert_eq!(ids(&place.open()), [1]);
}

use super::harness::{Place, ids, put};
use crate::agent::effects::DatabaseError;
use crate::agent::store::{StoreError, StoreFile};

fn limit(store: &StoreFile, pages: u32) {
    let set = store.read(|conn| -> Result<i64, StoreError> {
        Ok(conn.query_row(&format!("PRAGMA max_page_count({pages})"), [], |row| row.get(0))?)
    });
    set.unwrap();
}

#[test]
fn the_write_fails_typed_and_goes_on_when_there_is_space() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, b"before").unwrap();
    limit(&store, 8);
    let error = put(&store, 2, &[0; 64 << 10]).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(ids(&store), [1]);

    limit(&store, 1 << 20);
    put(&store, 2, &[0; 64 << 10]).unwrap();
    assert_eq!(ids(&store), [1, 2]);
    store.verify().unwrap();
}

#[test]
fn what_the_system_says_about_space_is_told_apart() {
    use rusqlite::ffi;
    let error = |code| StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    assert!(matches!(error(ffi::SQLITE_FULL), StoreError::DiskFull));
    assert!(matches!(error(ffi::SQLITE_IOERR_SHMSIZE), StoreError::DiskFull));
    let of_application =
        |code| DatabaseError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        assert_eq!(of_application(code), DatabaseError::Full);
    }
    assert!(matches!(error(ffi::SQLITE_READONLY_DBMOVED), StoreError::ReadOnly));
    assert!(matches!(error(ffi::SQLITE_BUSY_SNAPSHOT), StoreError::Busy));
    assert!(matches!(error(ffi::SQLITE_CORRUPT_INDEX), StoreError::Corrupt { .. }));
    assert!(matches!(error(ffi::SQLITE_CONSTRAINT_UNIQUE), StoreError::Sql(_)));
    assert!(!error(ffi::SQLITE_CONSTRAINT_UNIQUE).is_transient());
}

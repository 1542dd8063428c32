use std::fs;
use std::os::unix::fs::symlink;

use super::harness::{Place, SCHEMA};
use crate::agent::store::{Fault, StoreError, StoreFile};

#[test]
fn a_linked_file_is_refused_and_its_target_untouched() {
    for name in ["agent.db", "agent.db-wal", "agent.db-shm", "write.lock"] {
        let place = Place::new();
        drop(place.open());
        let target = place.dir.parent().unwrap().join("target");
        fs::rename(place.file(name), &target).unwrap();
        symlink(&target, place.file(name)).unwrap();
        let before = fs::read(&target).unwrap();
        match StoreFile::open(&place.dir, SCHEMA) {
            Err(StoreError::Unsafe { path, fault: Fault::Symlink }) => assert_eq!(path, place.file(name)),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(fs::read(&target).unwrap(), before, "{name}");
    }
}

#[test]
fn a_dangling_link_creates_nothing_where_it_points() {
    let place = Place::new();
    drop(place.open());
    let target = place.dir.parent().unwrap().join("target");
    fs::remove_file(place.file("agent.db")).unwrap();
    symlink(&target, place.file("agent.db")).unwrap();
    assert!(matches!(StoreFile::open(&place.dir, SCHEMA), Err(StoreError::Unsafe { .. })));
    assert!(!target.exists());
}

#[test]
fn a_linked_folder_is_refused_but_one_above_is_fine() {
    let place = Place::new();
    drop(place.open());
    let parent = place.dir.parent().unwrap();
    symlink(&place.dir, parent.join("bob")).unwrap();
    assert!(matches!(
        StoreFile::open(&parent.join("bob"), SCHEMA),
        Err(StoreError::Unsafe { fault: Fault::Symlink, .. })
    ));
    let above = parent.parent().unwrap().join("linked");
    symlink(parent, &above).unwrap();
    let store = StoreFile::open(&above.join("alice"), SCHEMA).unwrap();
    assert_eq!(store.dir(), place.dir);
}

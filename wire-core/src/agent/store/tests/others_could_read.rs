use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::harness::{Place, SCHEMA, put};
use crate::agent::store::{Fault, StoreError, StoreFile};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn fault(place: &Place) -> Fault {
    match StoreFile::open(&place.dir, SCHEMA) {
        Err(StoreError::Unsafe { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_is_made_for_the_owner_alone() {
    let place = Place::new();
    let store = place.open();
    put(&store, 1, b"x").unwrap();
    for folder in [place.dir.parent().unwrap(), &place.dir, &place.file("run")] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for name in ["agent.db", "agent.db-wal", "agent.db-shm", "write.lock"] {
        assert_eq!(mode(&place.file(name)), 0o600, "{name}");
    }
    let mut names: Vec<_> =
        fs::read_dir(&place.dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["agent.db", "agent.db-shm", "agent.db-wal", "run", "write.lock"]);
}

#[test]
fn an_open_file_or_folder_is_refused_with_the_remedy() {
    for name in ["agent.db", "agent.db-wal", "next.key", "run", "."] {
        let place = Place::new();
        drop(place.open());
        let path = place.dir.join(name);
        if name == "next.key" {
            fs::write(&path, b"seed").unwrap();
        }
        let found = mode(&path) | 0o040;
        fs::set_permissions(&path, Permissions::from_mode(found)).unwrap();
        assert_eq!(fault(&place), Fault::Mode(found), "{name}");
        let said = StoreFile::open(&place.dir, SCHEMA).unwrap_err().to_string();
        assert!(said.contains("chmod go-rwx") && said.contains(&format!("{found:o}")), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(found & 0o700)).unwrap();
        assert!(StoreFile::open(&place.dir, SCHEMA).is_ok(), "{name}");
    }
}

#[test]
fn a_second_name_of_the_file_is_refused() {
    let place = Place::new();
    drop(place.open());
    fs::hard_link(place.file("agent.db"), place.dir.parent().unwrap().join("elsewhere")).unwrap();
    assert_eq!(fault(&place), Fault::Links);
}

#[test]
fn a_folder_in_place_of_the_file_is_refused() {
    let place = Place::new();
    drop(place.open());
    fs::remove_file(place.file("agent.db")).unwrap();
    fs::create_dir(place.file("agent.db")).unwrap();
    assert_eq!(fault(&place), Fault::Kind);
}

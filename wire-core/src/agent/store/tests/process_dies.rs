use super::harness::{Child, Place, SCHEMA, listen, part, say};
use crate::agent::store::{ProcessLock, StoreFile};

#[test]
fn its_claims_are_seen_to_be_void() {
    if let Some((_, dir)) = part() {
        let store = StoreFile::open(&dir, SCHEMA).unwrap();
        let lock = ProcessLock::acquire(&store).unwrap();
        say(lock.token());
        listen();
        return;
    }
    let place = Place::new();
    let store = place.open();
    let mut child = Child::start(module_path!(), "its_claims_are_seen_to_be_void", "claimant", &place.dir);
    let token = child.hear();
    assert!(ProcessLock::is_alive(&store, &token).unwrap());
    child.kill();
    assert!(place.file("run").join(format!("{token}.lock")).exists());
    assert!(!ProcessLock::is_alive(&store, &token).unwrap());
    assert!(!place.file("run").join(format!("{token}.lock")).exists());
    assert!(!ProcessLock::is_alive(&store, &token).unwrap());
}

#[test]
fn a_process_sees_itself_alive_until_it_lets_go() {
    let place = Place::new();
    let store = place.open();
    let lock = ProcessLock::acquire(&store).unwrap();
    let token = lock.token().to_owned();
    assert!(ProcessLock::is_alive(&store, &token).unwrap());
    assert!(ProcessLock::is_alive(&store, &token).unwrap(), "asking does not take the lock away");
    drop(lock);
    assert!(!ProcessLock::is_alive(&store, &token).unwrap());
}

#[test]
fn a_token_that_is_a_path_belongs_to_nobody() {
    let place = Place::new();
    let store = place.open();
    std::fs::write(place.file("victim.lock"), "").unwrap();
    for token in ["", "../victim", "/etc/x", "a\0b"] {
        assert!(!ProcessLock::is_alive(&store, token).unwrap());
    }
    assert!(place.file("victim.lock").exists());
}

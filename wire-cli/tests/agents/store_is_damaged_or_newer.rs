//! A store that this program cannot use is told for what it is, with what to do, and left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Side, World, wire};
use serde_json::Value;

/// Where SQLite keeps `user_version`, four bytes, big-endian.
const USER_VERSION: usize = 60;

fn database(side: &Side) -> PathBuf {
    side.home.join("agents/alice/agent.db")
}

/// Every command fails in the same way, and not a byte of `file` changes.
fn refused(side: &Side, file: &Path, code: &str, hint: &str) {
    let before = fs::read(file).unwrap();
    for command in [&["inbox"][..], &["peers"], &["send", "bob", "hi"], &["pair"]] {
        let (doc, exit) = side.json(command);
        said(&doc, code, hint);
        assert_eq!(exit, 1, "{doc}");
    }
    assert!(fs::read(file).unwrap() == before, "the store was touched");
}

fn said(doc: &Value, code: &str, hint: &str) {
    assert_eq!(doc["error"]["code"], code, "{doc}");
    assert!(doc["error"]["hint"].as_str().unwrap().contains(hint), "{doc}");
}

#[test]
fn a_newer_store_of_an_agent() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let file = database(&alice);
    let mut bytes = fs::read(&file).unwrap();
    bytes[USER_VERSION..USER_VERSION + 4].copy_from_slice(&99u32.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    refused(&alice, &file, "store_newer", "update this program");
}

#[test]
fn a_damaged_store_of_an_agent() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let file = database(&alice);
    let mut bytes = fs::read(&file).unwrap();
    bytes[..4096].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    refused(&alice, &file, "store_corrupt", "restore the agent's whole folder");
}

#[test]
fn what_is_left_of_a_store_is_not_mixed_into_a_new_one() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let file = database(&alice);
    let whole = fs::read(&file).unwrap();
    let key = fs::read(file.with_file_name("next.key")).unwrap();
    // First its log lies beside it, then only the key.
    for leftover in ["agent.db-wal", "next.key"] {
        fs::remove_file(&file).unwrap_or_default();
        for command in [&["inbox"][..], &["pair"]] {
            let (doc, exit) = alice.json(command);
            said(&doc, "store_corrupt", "move it away");
            assert!(doc["error"]["message"].as_str().unwrap().contains(leftover), "{doc}");
            assert_eq!(exit, 1, "{doc}");
        }
        for log in ["agent.db-wal", "agent.db-shm"] {
            fs::remove_file(file.with_file_name(log)).unwrap_or_default();
        }
    }
    assert!(!file.exists() && fs::read(file.with_file_name("next.key")).unwrap() == key);
    // The file alone is a whole agent from its first moment on.
    fs::write(&file, whole).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (status, _) = alice.json(&["status"]);
    assert_eq!(fs::read(file.with_file_name("next.key")).unwrap(), key, "{status}");
}

#[test]
fn damage_in_one_row_is_not_blamed_on_the_network() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let db = rusqlite::Connection::open(database(&alice)).unwrap();
    db.execute_batch("UPDATE peer SET box_seed = x'00'").unwrap();
    drop(db);
    let (sent, _) = alice.json(&["send", "bob", "hi"]);
    let error = if sent["why"].is_null() { &sent["error"] } else { &sent["why"] };
    assert_eq!((&error["code"], &error["retryable"]), (&"store_corrupt".into(), &false.into()), "{sent}");
    let (inbox, exit) = alice.json(&["inbox"]);
    assert!(inbox.to_string().contains("store_corrupt") && exit == 1, "{inbox}");
    let (status, _) = alice.json(&["status"]);
    assert!(status.to_string().contains("store_corrupt"), "{status}");
}

#[test]
fn who_keeps_the_store_locked_is_told_of_and_ctrl_c_ends_the_wait() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let lock = database(&alice).with_file_name("write.lock");
    let held = fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let waiting = alice.start(&["--json", "send", "bob", "hi"]);
    waiting.says("waiting for a process");
    waiting.signal("INT");
    assert_eq!(waiting.end().code, 130);
    let (doc, exit) = alice.json(&["send", "bob", "hi"]);
    said(&doc, "store", "try again");
    assert_eq!((doc["error"]["retryable"].as_bool(), exit), (Some(true), 1), "{doc}");
    drop(held);
    alice.send("bob", "it goes on");
}

#[test]
fn a_relay_key_that_is_none_or_gone_or_that_others_can_read() {
    let mut world = World::new();
    world.stop_relay("TERM").ok();
    let key = world.folder.path().join("relay/relay.key");
    let whole = fs::read(&key).unwrap();
    let serve = || {
        let mut command = wire(world.folder.path());
        command.args(["--json", "relay", "serve", "--listen", "127.0.0.1:0"]);
        let done = crate::support::Running::start(command).end();
        assert_eq!(done.code, 1, "{done:?}");
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    fs::write(&key, &whole[1..]).unwrap();
    said(&serve(), "store", "restore it from a backup");
    fs::write(&key, &whole).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&key, open).unwrap();
    said(&serve(), "store", "chmod 600");
    fs::remove_file(&key).unwrap();
    said(&serve(), "store", "restore it from a backup");
}

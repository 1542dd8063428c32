//! A store that this program cannot use is told for what it is, with what to do, and left as it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Side, World, wire};

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
    refused(&alice, &file, "store_corrupt", "restore it from a copy");
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
        let done = support::Running::start(command).end();
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

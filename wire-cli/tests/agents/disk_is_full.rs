//! A disk that is full while messages come: it is told for what it is, and nothing is lost.

use std::process::Command;

use crate::support::{Side, World};
use rusqlite::Connection;
use serde_json::{Value, json};

/// SQLite has nowhere to put a message or what becomes of it, and says what it says of a full disk: a
/// table whose row numbers are used up takes no row more.
const FILL: &str = "
    CREATE TABLE no_room (n INTEGER PRIMARY KEY AUTOINCREMENT);
    INSERT INTO no_room VALUES (9223372036854775807);
    CREATE TRIGGER one BEFORE INSERT ON inbox BEGIN INSERT INTO no_room VALUES (NULL); END;
    CREATE TRIGGER two BEFORE UPDATE ON inbox BEGIN INSERT INTO no_room VALUES (NULL); END;";
const FREE: &str = "DROP TRIGGER one; DROP TRIGGER two; DROP TABLE no_room;";

fn disk(side: &Side, sql: &str) {
    let db = Connection::open(side.home.join("agents/bob/agent.db")).unwrap();
    db.busy_timeout(crate::support::HANG).unwrap();
    db.execute_batch(sql).unwrap();
}

fn is_told(why: &Value) {
    assert_eq!((why["code"].as_str(), why["retryable"].as_bool()), (Some("disk_full"), Some(true)), "{why}");
    assert!(why["hint"].as_str().unwrap().contains("free some space"), "{why}");
}

#[test]
fn commands_say_so_and_the_messages_come_when_there_is_room() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    disk(&bob, FILL);
    alice.send("bob", "one");
    alice.send("bob", "two");
    for args in [&["--json", "inbox"][..], &["--json", "inbox", "--ack", "all"]] {
        let done = bob.run(args);
        let inbox: Value = serde_json::from_str(done.stdout.lines().next().unwrap()).unwrap();
        assert_eq!((inbox["fetched"].as_bool(), done.code), (Some(false), 7), "{inbox}");
        is_told(&inbox["why"]);
    }
    let said = bob.run(&["inbox"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.stderr.contains("the disk is full; this is what was fetched before"), "{said:?}");
    assert!(said.stderr.contains("next: free some space"), "{said:?}");
    let (status, exit) = bob.json(&["status"]);
    assert_eq!((status["relay_state"].as_str(), exit), (Some("reachable"), 0), "{status}");
    is_told(&status["why"]);
    let said = bob.run(&["status"]).ok().stdout;
    assert!(said.contains("  reachable\n") && said.contains("agents/bob: the disk is full\n"), "{said}");

    disk(&bob, FREE);
    assert_eq!(bob.texts(), ["one", "two"]);
    let (status, _) = bob.json(&["status"]);
    assert!(status["why"].is_null(), "{status}");
}

#[test]
fn who_watches_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    disk(&bob, FILL);
    let mut watching = bob.start(&["--json", "watch"]);
    alice.send("bob", "one");
    let begins = watching.json();
    assert_eq!(begins["v"], 1);
    is_told(&begins["trouble"]);
    // Another process is told by the one that reads.
    let (inbox, exit) = bob.json(&["inbox"]);
    assert_eq!((inbox["fetched"].as_bool(), exit), (Some(false), 7), "{inbox}");
    is_told(&inbox["why"]);
    alice.send("bob", "two");

    disk(&bob, FREE);
    // Whatever was tried meanwhile, nothing stands in between.
    let rest = [watching.json(), watching.json(), watching.json()];
    let (over, messages): (Vec<&Value>, Vec<&Value>) =
        rest.iter().partition(|doc| doc.get("trouble").is_some());
    assert_eq!(over, [&json!({"v": 1, "trouble": null})]);
    assert_eq!(messages.iter().map(|m| m["text"].as_str().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
    watching.signal("INT");
    let said = watching.end().failed(130);
    let times = |text: &str| said.matches(text).count();
    for line in ["the disk is full; trying again and again", "next: free some space", "WARN"] {
        assert_eq!(times(line), 1, "{line}: {said}");
    }
    assert_eq!(times("the store takes what comes again"), 1, "{said}");
}

#[test]
fn a_command_gets_what_waits_when_there_is_room_to_note_it() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let id = alice.send("bob", "work");
    assert_eq!(bob.texts(), ["work"]);
    disk(&bob, FILL);
    let mut watching = bob.start(&["--json", "watch", "--exec", "true"]);
    is_told(&watching.json()["trouble"]);
    disk(&bob, FREE);
    let done = watching.message();
    assert_eq!((done["id"].as_str(), done["state"].as_str()), (Some(&*id), Some("processed")), "{done}");
    assert_eq!(alice.outcome(&id), "processed");
}

#[test]
fn a_command_that_has_done_its_work_is_not_run_again_for_it() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let (began, go) = (world.folder.path().join("began"), world.folder.path().join("go"));
    for pipe in [&began, &go] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let mut wire = bob.command();
    wire.args(["--json", "watch", "--exec", "echo >> runs; echo > began; read x < go"]);
    wire.current_dir(&world.folder);
    let mut watching = crate::support::Running::start(wire);
    let id = alice.send("bob", "work");
    std::fs::read(&began).unwrap();
    disk(&bob, FILL);
    std::fs::write(&go, "\n").unwrap();
    is_told(&watching.json()["trouble"]);
    disk(&bob, FREE);
    assert_eq!(watching.message()["state"], "processed");
    assert_eq!(alice.outcome(&id), "processed");
    assert_eq!(std::fs::read_to_string(world.folder.path().join("runs")).unwrap().lines().count(), 1);
}

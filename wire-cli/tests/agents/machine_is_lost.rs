//! `wire identity backup`, `rotate --file` and `restore`: a machine is lost, and its agent is not.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::support::{Side, World};

const PASSPHRASE: &str = "correct horse battery staple";

/// Runs a command that takes the passphrase on its standard input, and gives its document and exit code.
fn json(side: &Side, args: &[&str], passphrase: &str) -> (Value, i32) {
    let done = side.run_with(&[&["--json"], args].concat(), &format!("{passphrase}\n"));
    assert!(!done.stdout.contains(PASSPHRASE) && !done.stderr.contains(PASSPHRASE), "{done:?}");
    (serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}")), done.code)
}

fn code(doc: &Value) -> &str {
    doc["error"]["code"].as_str().unwrap_or_else(|| panic!("{doc}"))
}

fn pair_again(a: &Side, b: &Side) {
    let mut pairing = a.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    b.run_with(&["join", "-"], &code).ok();
    let paired = pairing.json();
    assert_eq!(paired["state"], "paired", "{paired}");
    pairing.end().ok();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(&from, &to).unwrap();
        }
    }
    // For its owner alone, also in a copy.
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Every file under a folder that holds these bytes.
fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(holding(&entry.path(), needle));
        } else if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            found.extend(memchr::memmem::find(&bytes, needle).map(|_| entry.path()));
        }
    }
    found
}

#[test]
fn it_is_made_again_rotates_and_pairs_again_under_its_old_name() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    alice.send("bob", "before");
    assert_eq!(bob.texts(), ["before"]);
    let file = world.folder.path().join("alice.wire");
    let path = file.to_str().unwrap();
    let next = fs::read(alice.home.join("agents/alice/next.key")).unwrap();
    let root = alice.json(&["identity", "show"]).0["root"].clone();

    // The next key moves into the file, and nothing of it stays.
    let (saved, exit) = json(&alice, &["identity", "backup", path], PASSPHRASE);
    assert_eq!((saved["next_key_here"].as_bool(), exit), (Some(false), 0), "{saved}");
    assert_eq!(saved["backup"]["file"], path);
    assert_eq!(holding(world.folder.path(), &next), Vec::<PathBuf>::new());
    assert_eq!(holding(world.folder.path(), PASSPHRASE.as_bytes()), Vec::<PathBuf>::new());
    let (status, _) = alice.json(&["status"]);
    assert_eq!(status["backup"]["missing"].as_array().unwrap().len(), 0, "{status}");
    let (refused, exit) = alice.json(&["identity", "rotate"]);
    assert_eq!((code(&refused), exit), ("next_key_in_file", 1));
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--file FILE"), "{refused}");

    // A crash before it was erased is made good at the next start; one that its owner has put back stays.
    let key = alice.home.join("agents/alice/next.key");
    let put_back = |moved: bool| {
        fs::write(&key, &next).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let store = rusqlite::Connection::open(alice.home.join("agents/alice/agent.db")).unwrap();
        store.execute("UPDATE agent SET next_moved = ?", [moved]).unwrap();
    };
    put_back(true);
    assert_eq!(alice.json(&["identity", "show"]).0["next_key_here"], false);
    assert!(!key.exists());
    put_back(false);
    assert_eq!(alice.json(&["identity", "show"]).0["next_key_here"], true);
    fs::remove_file(&key).unwrap();

    // A peer that came later is missing in it, until it is brought up to date.
    let carol = world.side("carol");
    pair_again(&alice, &carol);
    let (status, _) = alice.json(&["status"]);
    assert_eq!(status["backup"]["missing"][0], "carol", "{status}");
    assert!(alice.run(&["status"]).ok().stdout.contains("out of date"));
    let (saved, exit) = json(&alice, &["identity", "backup", path, "--update"], PASSPHRASE);
    assert_eq!((saved["backup"]["missing"].as_array().unwrap().len(), exit), (0, 0), "{saved}");

    // The machine is lost; somebody has a copy of its disk.
    let (refused, exit) = json(&alice, &["identity", "restore", path], PASSPHRASE);
    assert_eq!((code(&refused), exit), ("agent_exists", 2));
    let thief = world.side("thief");
    copy(&alice.home.join("agents/alice"), &thief.home.join("agents/thief"));
    fs::remove_dir_all(&alice.home).unwrap();

    let (restored, exit) = json(&alice, &["identity", "restore", path], PASSPHRASE);
    assert_eq!((&restored["root"], exit), (&root, 0), "{restored}");
    assert_eq!(restored["peers"].as_array().unwrap().len(), 2);
    let (peer, _) = alice.json(&["peers", "show", "bob"]);
    assert_eq!((peer["state"].as_str(), peer["why"]["code"].as_str()), (Some("lost"), Some("needs_reset")));
    let (refused, exit) = alice.json(&["send", "bob", "hello?"]);
    assert_eq!((code(&refused), exit), ("needs_reset", 4));
    assert_eq!(alice.json(&["status"]).0["needs_reset"].as_array().unwrap().len(), 2);
    assert!(!alice.home.join("agents/alice/next.key").exists(), "it stays in the file");

    // First of all another key: a thief of the old one pairs with nobody who has heard of that.
    let (rotated, exit) = json(&alice, &["identity", "rotate", "--file", path], PASSPHRASE);
    assert_eq!((rotated["rotations"].as_u64(), exit), (Some(1), 0), "{rotated}");
    pair_again(&alice, &bob);
    let (peer, _) = bob.json(&["peers", "show", "alice"]);
    assert_eq!((&peer["root"], peer["rotations"].as_u64()), (&root, Some(1)), "{peer}");
    assert_eq!(peer["state"], "paired");
    alice.send("bob", "here again");
    assert!(bob.texts().contains(&"here again".to_owned()));
    bob.send("alice", "welcome back");
    assert_eq!(alice.texts(), ["welcome back"]);

    // What the thief has is of no use with Bob.
    let (sent, _) = thief.json(&["send", "bob", "it is me"]);
    let told = sent["why"]["code"].as_str().or(sent["error"]["code"].as_str());
    assert_eq!(told, Some("revoked"), "{sent}");
    assert!(!bob.texts().contains(&"it is me".to_owned()));
    let mut pairing = thief.start(&["--json", "pair"]);
    let typed = pairing.json()["code"].as_str().unwrap().to_owned();
    let done = bob.run_with(&["--json", "join", "-"], &typed);
    assert_ne!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("a key that alice has replaced"), "{done:?}");
    drop(pairing);

    // And once more, told by a record this time, with the file that the rotation wrote.
    alice.run(&["inbox", "--ack", "all"]).ok();
    let (rotated, exit) = json(&alice, &["identity", "rotate", "--file", path], PASSPHRASE);
    assert_eq!((rotated["rotations"].as_u64(), exit), (Some(2), 0), "{rotated}");
    bob.run(&["inbox"]).ok();
    assert_eq!(bob.json(&["peers", "show", "alice"]).0["rotations"], 2);
}

#[test]
fn a_wrong_file_or_passphrase_changes_nothing_and_says_what_to_do() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let at = |name: &str| world.folder.path().join(name).to_str().unwrap().to_owned();
    let (path, other, copy) = (at("alice.wire"), at("bob.wire"), at("copy.wire"));

    let (refused, exit) = json(&alice, &["identity", "backup", &path], "too short");
    assert_eq!((code(&refused), exit), ("usage", 2), "{refused}");
    assert!(alice.home.join("agents/alice/next.key").exists() && !Path::new(&path).exists());
    let secret = at("passphrase");
    fs::write(&secret, format!("{PASSPHRASE}\n")).unwrap();
    for (side, file) in [(&alice, &path), (&bob, &other)] {
        side.run(&["identity", "backup", file, "--passphrase-file", &secret]).ok();
    }
    let (refused, exit) = json(&alice, &["identity", "backup", &path], PASSPHRASE);
    assert_eq!((code(&refused), exit), ("file_exists", 2), "{refused}");
    let (refused, exit) = json(&alice, &["identity", "backup", &at("second.wire")], PASSPHRASE);
    assert_eq!((code(&refused), exit), ("next_key_in_file", 1), "{refused}");
    assert!(!Path::new(&at("second.wire")).exists());
    for args in [["identity", "rotate", "--file", &path], ["identity", "backup", "--update", &path]] {
        let (refused, exit) = json(&alice, &args, "another horse battery");
        assert_eq!((code(&refused), exit), ("wrong_passphrase", 2), "{refused}");
    }
    for args in [["identity", "rotate", "--file", &other], ["identity", "backup", "--update", &other]] {
        let (refused, exit) = json(&alice, &args, PASSPHRASE);
        assert_eq!((code(&refused), exit), ("recovery_file", 1), "{refused}");
    }
    // A copy of before a rotation is of no use after it.
    fs::copy(&path, &copy).unwrap();
    assert_eq!(json(&alice, &["identity", "rotate", "--file", &path], PASSPHRASE).1, 0);
    bob.run(&["inbox"]).ok();
    alice.run(&["inbox"]).ok();
    let (refused, exit) = json(&alice, &["identity", "rotate", "--file", &copy], PASSPHRASE);
    assert_eq!((code(&refused), exit), ("recovery_file", 1), "{refused}");

    let nobody = world.side("nobody");
    fs::write(&copy, "notes").unwrap();
    for (file, passphrase, expected) in [
        (&copy, PASSPHRASE, ("recovery_file", 1)),
        (&path, "another horse battery", ("wrong_passphrase", 2)),
        (&at("absent"), PASSPHRASE, ("store", 1)),
    ] {
        let (refused, exit) = json(&nobody, &["identity", "restore", file], passphrase);
        assert_eq!((code(&refused), exit), expected, "{refused}");
    }
    assert!(!nobody.home.join("agents/nobody/agent.db").exists());
    assert_eq!(json(&nobody, &["identity", "restore", &path], PASSPHRASE).1, 0);
}

#[test]
fn a_passphrase_is_typed_twice_and_not_shown() {
    let world = World::new();
    let (alice, _) = world.paired("alice", "bob");
    let path = world.folder.path().join("alice.wire");
    let mut ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map(File::from).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = File::options().read(true).write(true).open(theirs).unwrap();
    let mut seen = String::new();
    let mut shows = |ours: &mut File, what: &str| {
        let mut part = [0; 1024];
        while !seen.contains(what) {
            let n = ours.read(&mut part).unwrap();
            seen.push_str(&String::from_utf8_lossy(&part[..n]));
        }
        std::mem::take(&mut seen)
    };
    for (again, exit, told) in
        [("correct horse battery stable", 2, "not the same"), (PASSPHRASE, 0, "next key")]
    {
        let mut command = alice.command();
        command.args(["identity", "backup", path.to_str().unwrap()]);
        let stdio = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let mut child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let mut all = shows(&mut ours, "New passphrase: ");
        writeln!(ours, "{PASSPHRASE}").unwrap();
        all += &shows(&mut ours, "The same again: ");
        writeln!(ours, "{again}").unwrap();
        all += &shows(&mut ours, told);
        assert_eq!(child.wait().unwrap().code(), Some(exit), "{all}");
        assert!(!all.contains("horse"), "{all}");
    }
    assert!(path.exists());
}

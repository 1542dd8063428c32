//! A name that cannot be had is refused before a code or a link is made or spent.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::{Running, World, wire};

#[test]
fn no_code_and_no_link_is_spent_on_it() {
    let world = World::new();
    let (alice, _bob) = world.paired("alice", "bob");
    let carol = world.side("carol");
    for name in ["bob", "../x", "B", ""] {
        for args in [&["pair", "--name", name][..], &["pair", "--invite", "--name", name]] {
            let (answer, exit) = alice.json(args);
            assert_eq!((answer["error"]["code"].as_str(), exit), (Some("usage"), 2), "{name}: {answer}");
            assert!(answer["code"].is_null() && answer["link"].is_null(), "{answer}");
        }
    }
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let (answer, exit) = carol.json(&["join", "--name", "../x", &code]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("usage"), 2), "{answer}");
    carol.run_with(&["join", "--name", "alice-2", "-"], &code).ok();
    assert_eq!(pairing.json()["name"], "carol");
    pairing.end().ok();

    let (invite, _) = alice.json(&["pair", "--invite"]);
    let link = invite["link"].as_str().unwrap();
    carol.run_with(&["join", "--name", "../x", "-"], link).failed(2);
    let dave = world.side("dave");
    assert!(dave.run_with(&["--json", "join", "--wait", "0", "-"], link).ok().stdout.contains("pending"));
}

#[test]
fn a_name_of_an_agent_that_is_no_text_is_no_other_agent() {
    let home = tempfile::tempdir().unwrap();
    let mut command = wire(home.path());
    command.args(["--json", "pair"]).env("WIRE_AS", OsStr::from_bytes(b"caf\xe9"));
    let mut pairing = Running::start(command);
    let answer = pairing.json();
    assert_eq!(answer["error"]["code"], "bad_config", "{answer}");
    assert_eq!(pairing.end().code, 2);
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none());
}

//! `wire peers log`: a file that convinces somebody who has no agent at all.

use crate::support::{Running, World, wire};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn an_exported_log_is_verified_elsewhere_and_a_changed_one_is_not() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    bob.send("alice", "the sum is ten");
    assert_eq!(alice.texts(), ["the sum is ten"]);
    alice.run(&["inbox", "--ack", "all"]).ok();
    let file = world.folder.path().join("bob.log");
    let path = file.to_str().unwrap();
    let (doc, exit) = alice.json(&["peers", "log", "export", "bob", "--out", path]);
    assert_eq!((doc["file"].as_str(), exit), (Some(path), 0), "{doc}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Not over what is there.
    let (doc, exit) = alice.json(&["peers", "log", "export", "bob", "--out", path]);
    assert_eq!((doc["error"]["code"].as_str(), exit), (Some("usage"), 2), "{doc}");

    // Somebody else, without agent, relay or key.
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let mut command = wire(elsewhere.path());
        command.args(["--json", "peers", "log", "verify", "--file", "-"]);
        let mut verifying = Running::start(command);
        verifying.type_in(text);
        let done = verifying.end();
        (serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap(), done.code)
    };
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("the sum is ten"), "{text}");
    let (doc, exit) = verify(&text);
    assert_eq!(exit, 0, "{doc}");
    assert_eq!(
        (doc["peer"]["records"].as_u64(), doc["peer"]["processed"].as_u64()),
        (Some(2), Some(2)),
        "{doc}"
    );
    assert_eq!((doc["own"]["records"].as_u64(), doc["peer"]["conflict"].as_bool()), (Some(1), Some(false)));
    for bad in [
        text.replacen("\"by\":\"peer\"", "\"by\":\"own\"", 1),
        text[..text.len() - 20].to_owned(),
        String::new(),
    ] {
        let (doc, exit) = verify(&bad);
        assert_eq!((doc["error"]["code"].as_str(), exit), (Some("bad_log"), 1), "{doc}");
        assert!(doc["error"]["message"].as_str().unwrap().contains("line "), "{doc}");
    }
    assert!(!elsewhere.path().join("agents").exists());

    // Without what was said, and after it was forgotten.
    let bare = alice.run(&["peers", "log", "export", "bob", "--no-bodies"]).ok();
    assert!(!bare.stdout.contains("\"body\""), "{}", bare.stdout);
    assert_eq!(verify(&bare.stdout).0["peer"]["pruned"], 2);
    assert_eq!(alice.json(&["peers", "log", "verify", "bob"]).0["peer"]["pruned"], 0);
    let (doc, exit) = alice.json(&["peers", "log", "prune", "bob", "--older", "0s"]);
    assert_eq!((doc["pruned"].as_u64(), exit), (Some(3), 0), "{doc}");
    assert_eq!(alice.json(&["peers", "log", "verify", "bob"]).0["peer"]["pruned"], 2);
    assert_eq!(bob.json(&["peers", "log", "verify", "alice"]).0["own"]["pruned"], 0);
}

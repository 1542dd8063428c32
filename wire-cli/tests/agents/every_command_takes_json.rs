//! `--json` on every command of the tree: one document, also when it fails, also when it is mistyped.

use crate::support::{Running, wire};
use serde_json::Value;

#[test]
fn every_command_answers_in_json_whatever_happens() {
    let home = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for path in leaves(&wire_cli::command()) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let wrong = [&path[..], &["--no-such-flag"]].concat();
        let error = failure(home.path(), &wrong, 2);
        assert_eq!(error["code"], "usage", "{path:?}");
        // With arguments as they should be, in a home without agent, relay or anything.
        let (args, exit): (Vec<&str>, i32) = match path.as_slice() {
            ["demo"] => continue,
            ["relay", "serve"] => ([&path[..], &["--listen", "nowhere"]].concat(), 2),
            ["pair"] => (path.clone(), 5),
            ["join"] => ([&path[..], &["4821-canyon-velvet-oistre"]].concat(), 2),
            ["send" | "ask"] => ([&path[..], &["bob", "hi"]].concat(), 4),
            ["run"] => ([&path[..], &["image:1", "--", "true"]].concat(), 125),
            ["exec"] => ([&path[..], &["box", "--", "true"]].concat(), 125),
            ["spawn"] => ([&path[..], &["image:1"]].concat(), 1),
            ["logs" | "stop"] => ([&path[..], &["box"]].concat(), 1),
            ["cp"] => ([&path[..], &["box:/a", "b"]].concat(), 1),
            ["ps"] => (path.clone(), 1),
            ["peers", "log", "export" | "verify"] => ([&path[..], &["bob"]].concat(), 4),
            ["peers", "log", "prune"] => ([&path[..], &["bob", "--older", "1d"]].concat(), 4),
            ["identity", "backup"] => ([&path[..], &["file"]].concat(), 4),
            ["identity", "restore"] => ([&path[..], &["file"]].concat(), 2),
            ["peers", "move"] => ([&path[..], &["bob", "--relay", "http://127.0.0.1:9"]].concat(), 4),
            ["peers", "show" | "reset"] | ["revoke"] => ([&path[..], &["bob"]].concat(), 4),
            _ => (path.clone(), 4),
        };
        let error = failure(home.path(), &args, exit);
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{path:?}");
        assert!(error["retryable"].is_boolean() && error.get("hint").is_some(), "{path:?}");
        seen += 1;
        if path != ["pair"] {
            assert!(!home.path().join("agents").exists(), "{path:?} made an agent");
        } else {
            std::fs::remove_dir_all(home.path().join("agents")).unwrap();
        }
    }
    assert_eq!(seen, 28, "commands");
}

#[test]
fn help_and_version_are_documents_too() {
    let home = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["pair", "--help"]] {
        let (doc, code) = run(home.path(), args);
        assert_eq!((doc["v"].as_u64(), code), (Some(1), 0));
        assert!(doc["text"].as_str().unwrap().contains("wire"), "{doc}");
    }
    assert_eq!(failure(home.path(), &[], 2)["code"], "usage");
    assert_eq!(failure(home.path(), &["no-such-command"], 2)["code"], "usage");
}

fn failure(home: &std::path::Path, args: &[&str], exit: i32) -> Value {
    let (doc, code) = run(home, args);
    assert_eq!(code, exit, "{args:?}: {doc}");
    assert_eq!(doc["v"], 1);
    doc["error"].clone()
}

fn run(home: &std::path::Path, args: &[&str]) -> (Value, i32) {
    let mut command = wire(home);
    // Nobody listens there. What stands behind `--` is another program's.
    command.env("WIRE_RELAY", "http://127.0.0.1:9").env("DOCKER_HOST", "unix:///no/such/socket");
    command.arg("--json").args(args);
    let done = Running::start(command).end();
    let doc = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {done:?}"));
    (doc, done.code)
}

fn leaves(command: &clap::Command) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for sub in command.get_subcommands() {
        let name = sub.get_name().to_owned();
        let below = leaves(sub);
        if below.is_empty() || !sub.is_subcommand_required_set() {
            found.push(vec![name.clone()]);
        }
        found.extend(below.into_iter().map(|path| [vec![name.clone()], path].concat()));
    }
    found
}

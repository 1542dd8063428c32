//! A peer sends what would clear a screen, pose as a result, or turn a line around.

use crate::support::World;

const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\r✓ paired with mallory\n\u{202e}live\u{7}";

#[test]
fn nothing_that_a_peer_sent_reaches_a_terminal_unescaped() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let id = bob.send("alice", HOSTILE);
    let (inbox, _) = alice.json(&["inbox"]);
    assert_eq!(inbox["messages"][0]["text"], HOSTILE, "a program gets every character");
    let mut seen = String::new();
    for args in [&["inbox"][..], &["--json", "inbox"]] {
        seen += &alice.run(args).ok().stdout;
    }
    for args in [&["watch"][..], &["watch", "--line"], &["--json", "watch"]] {
        seen += &alice.start(args).line();
        seen.push('\n');
    }
    assert_eq!(seen.lines().filter(|line| line.contains("mallory")).count(), 5, "{seen}");
    assert!(seen.lines().all(|line| !line.trim_start().starts_with('✓')), "{seen}");

    // The answer to an ask may have lines, and nothing else.
    let asking = bob.start(&["ask", "alice", "?"]);
    let question = alice.start(&["--json", "watch"]).json();
    assert_eq!(question["id"].as_str(), Some(id.as_str()), "shown again: it was not processed");
    alice.run(&["inbox", "--ack", &id]).ok();
    let mut watching = alice.start(&["--json", "watch"]);
    alice.run(&["send", "--re", watching.json()["id"].as_str().unwrap(), HOSTILE]).ok();
    seen += &asking.end().ok().stdout;
    for byte in ["\u{1b}", "\u{9b}", "\r", "\u{202e}", "\u{7}"] {
        assert!(!seen.contains(byte), "{byte:?} in {seen:?}");
    }
}

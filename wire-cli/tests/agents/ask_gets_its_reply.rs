//! Asking, answering, and a wait that runs out.

use crate::support::World;

#[test]
fn an_ask_gets_its_reply() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let asking = alice.start(&["ask", "bob", "ready?"]);
    let mut watching = bob.start(&["--json", "watch"]);
    let question = watching.json();
    assert_eq!((question["kind"].as_str(), question["text"].as_str()), (Some("ask"), Some("ready?")));
    bob.run(&["send", "--re", question["id"].as_str().unwrap(), "yes\nindeed"]).ok();
    let answered = asking.end().ok();
    assert_eq!((answered.stdout.as_str(), answered.stderr.as_str()), ("yes\nindeed\n", ""));
    assert!(alice.texts().is_empty(), "a reply that was shown is processed");
}

#[test]
fn a_wait_that_runs_out_loses_nothing() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let (over, exit) = alice.json(&["ask", "bob", "ready?", "--key", "q1", "--wait", "0s"]);
    assert_eq!((over["error"]["code"].as_str(), exit), (Some("wait_over"), 3), "{over}");
    assert_eq!(over["error"]["retryable"], true);
    let (inbox, _) = bob.json(&["inbox"]);
    bob.run(&["send", "--re", inbox["messages"][0]["id"].as_str().unwrap(), "yes"]).ok();
    // The same key is the same ask, and its reply is here by now.
    let (reply, exit) = alice.json(&["ask", "bob", "ready?", "--key", "q1"]);
    assert_eq!((reply["text"].as_str(), exit), (Some("yes"), 0), "{reply}");
    assert!(bob.texts().is_empty());
}

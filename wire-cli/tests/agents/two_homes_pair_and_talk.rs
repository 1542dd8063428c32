//! Two homes, one code, a message each way; every state that is shown was proved.

use crate::support::World;

#[test]
fn two_homes_pair_by_code_and_talk_both_ways() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));

    let mut pairing = alice.start(&["pair"]);
    let line = pairing.line();
    let code = line.split_whitespace().nth(1).unwrap();
    assert!(line.starts_with("Code:  ") && line.ends_with("(valid 10 min, one use)"), "{line}");
    assert_eq!(pairing.line(), format!("       On the other side: wire join {code}"));
    let joined = bob.run_with(&["join"], code).ok();
    let words = pairing.line();
    assert!(words.contains("both screens show: ") && joined.stdout.starts_with(&words), "{joined:?}");
    let paired = pairing.line();
    assert!(
        paired.starts_with("✓ paired with bob  ") && paired.ends_with("next: wire send bob \"hi\""),
        "{paired}"
    );
    pairing.end().ok();
    let (peers, _) = alice.json(&["peers"]);
    let fingerprint = peers["peers"][0]["fingerprint"].as_str().unwrap();
    assert!(paired.contains(fingerprint), "{paired}");

    let green = bob.send("alice", "tests are green");
    let (status, _) = bob.json(&["status", &green]);
    assert_eq!(status["state"], "relayed");
    // Looking consumes nothing, but the reader has it now and has said so.
    assert_eq!(alice.texts(), ["tests are green"]);
    assert_eq!(alice.texts(), ["tests are green"]);
    let (status, _) = bob.json(&["status", &green]);
    assert_eq!(status["state"], "received");
    let acked = alice.run(&["inbox", "--ack", "all"]).ok().stdout;
    assert!(acked.starts_with(&format!("{green}  bob  now  tests are green\n")), "{acked}");
    assert!(acked.ends_with("✓ 1 processed\n"), "{acked}");
    assert_eq!(bob.outcome(&green), "processed");
    assert!(alice.texts().is_empty());

    let answer = alice.run_with(&["send", "bob"], "from standard input\nin two lines").ok();
    assert!(answer.stdout.starts_with("✓ ") && answer.stdout.contains("  relayed ("), "{answer:?}");
    assert_eq!(bob.texts(), ["from standard input\nin two lines"]);
}

#[test]
fn a_key_sends_once_and_an_answer_processes_what_it_answers() {
    let world = World::new();
    let (alice, bob) = world.paired("alice", "bob");
    let first = alice.json(&["send", "bob", "deploy", "--key", "deploy-42"]).0;
    let again = alice.json(&["send", "bob", "deploy", "--key", "deploy-42"]).0;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(bob.texts(), ["deploy"]);
    let id = first["id"].as_str().unwrap();
    bob.run(&["send", "--re", id, "done"]).ok();
    assert_eq!(alice.outcome(id), "processed");
    let (inbox, _) = alice.json(&["inbox"]);
    assert_eq!((&inbox["messages"][0]["text"], &inbox["messages"][0]["re"]), (&"done".into(), &first["id"]));
    assert!(bob.texts().is_empty());
}

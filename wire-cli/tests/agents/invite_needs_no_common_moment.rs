//! A link is made, followed and completed by commands of which no two run at the same time.

use crate::support::World;

#[test]
fn an_invite_is_completed_without_both_being_on_line_at_once() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let (invite, exit) = alice.json(&["pair", "--invite", "--name", "robert"]);
    assert_eq!((invite["state"].as_str(), exit), (Some("pending"), 0), "{invite}");
    let link = invite["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("http://{}/j#1.", world.address)), "{link}");
    let own = alice.run_with(&["join", "-"], link).failed(2);
    assert!(own.contains("own link"), "{own}");
    let joined = bob.run_with(&["--json", "join", "--wait", "0s"], link).ok().stdout;
    assert!(joined.contains(r#""state":"pending""#), "{joined}");

    let names = |side: &crate::support::Side| -> Vec<(String, String)> {
        let (peers, _) = side.json(&["peers"]);
        let peers = peers["peers"].as_array().unwrap().clone();
        peers.iter().map(|p| (text(&p["name"]), text(&p["state"]))).collect()
    };
    let rounds = (1..=10).find(|_| {
        let (a, b) = (names(&alice), names(&bob));
        // Nobody is paired before the other side has proved itself.
        a == pair("robert", "paired") && b == pair("alice", "paired")
    });
    assert!(rounds.is_some(), "{:?} {:?}", names(&alice), names(&bob));
    alice.send("robert", "hello");
    assert_eq!(bob.texts(), ["hello"]);
    let (used, exit) = world.side("carol").json(&["join", link]);
    assert_eq!(exit, 4, "{used}");
}

fn pair(name: &str, state: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), state.to_owned())]
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

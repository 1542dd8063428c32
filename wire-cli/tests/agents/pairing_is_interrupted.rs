//! Ctrl-C while a code waits takes the code back.

use crate::support::World;

#[test]
fn ctrl_c_takes_the_code_back() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    pairing.signal("INT");
    assert_eq!(pairing.json()["error"]["code"], "interrupted");
    assert_eq!(pairing.end().code, 130);
    let (answer, exit) = bob.json(&["join", &code]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("code_expired"), 4), "{answer}");
}

#[test]
fn join_says_what_it_waits_for_when_the_maker_of_the_code_is_gone() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    pairing.kill();
    let joining = bob.start(&["--json", "join", &code]);
    joining.says("waiting for the other side");
    joining.signal("INT");
    assert_eq!(joining.end().code, 130);
}

//! `--verify`: nobody is paired before the owner has said that the words are the same.

use crate::support::World;

#[test]
fn both_sides_compare_and_pair() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair", "--verify"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let mut joining = bob.start(&["--json", "join", "--verify"]);
    joining.type_in(&format!("{code}\n"));
    let (here, there) = (pairing.json(), joining.json());
    assert_eq!((here["state"].as_str(), &here["sas"]), (Some("compare"), &there["sas"]));
    assert_eq!(here["sas"].as_str().unwrap().split(' ').count(), 5);
    pairing.type_in("yes\n");
    joining.type_in("yes\n");
    for side in [&mut pairing, &mut joining] {
        let peer = side.json();
        assert_eq!(
            (peer["state"].as_str(), peer["verified"].as_bool()),
            (Some("paired"), Some(true)),
            "{peer}"
        );
    }
}

#[test]
fn words_that_differ_pair_nobody() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair", "--verify"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let mut joining = bob.start(&["--json", "join", "--verify"]);
    joining.type_in(&format!("{code}\n"));
    joining.json();
    pairing.json();
    pairing.type_in("no\n");
    assert_eq!(pairing.json()["error"]["code"], "not_paired");
    assert_eq!(pairing.end().code, 4);
    // The end of the input is no consent either.
    assert_eq!(joining.end().code, 4);
    for side in [&alice, &bob] {
        assert_eq!(side.json(&["peers"]).0["peers"][0]["state"], "abandoned");
    }
}

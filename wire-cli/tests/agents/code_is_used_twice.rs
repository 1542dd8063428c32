//! A code that has served is entered once more.

use crate::support::World;

#[test]
fn a_used_code_pairs_nobody_else() {
    let world = World::new();
    let (alice, bob, carol) = (world.side("alice"), world.side("bob"), world.side("carol"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    bob.run_with(&["join"], &code).ok();
    assert_eq!(pairing.json()["name"], "bob");
    pairing.end().ok();
    // Who used it knows that; to anybody else the relay says no more than that there is none.
    for (side, error) in [(&alice, "code_used"), (&bob, "code_used"), (&carol, "code_expired")] {
        let (answer, exit) = side.json(&["join", &code]);
        assert_eq!((answer["error"]["code"].as_str(), exit), (Some(error), 4), "{answer}");
        assert!(answer["error"]["hint"].as_str().unwrap().contains("wire pair"), "{answer}");
    }
    assert_eq!(carol.json(&["peers"]).0["peers"].as_array().unwrap().len(), 0);
}

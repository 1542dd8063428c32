//! A number that the relay does not know, and a code that nobody entered in time: one error.

use crate::support::World;

#[test]
fn an_unknown_and_an_expired_code_are_one_error() {
    let world = World::with_relay("[limits]\ncode_life = 300");
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let unknown = format!("4821-canyon-velvet-oyster@{}", world.address);
    let said = bob.run_with(&["join"], &unknown).failed(4);
    assert!(said.starts_with("error: there is no such code or invite: it has expired"), "{said}");

    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    assert_eq!(pairing.json()["error"]["code"], "code_expired");
    assert_eq!(pairing.end().code, 4);
    let (answer, exit) = bob.json(&["join", &code]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("code_expired"), 4), "{answer}");
}

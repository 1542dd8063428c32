//! Somebody enters the right number with wrong words: the code is spent for both sides.

use crate::support::World;

#[test]
fn a_wrong_word_burns_the_code_for_both() {
    let world = World::new();
    let (alice, bob) = (world.side("alice"), world.side("bob"));
    let mut pairing = alice.start(&["--json", "pair"]);
    let code = pairing.json()["code"].as_str().unwrap().to_owned();
    let (rest, relay) = code.split_once('@').unwrap();
    let last = rest.rsplit('-').next().unwrap();
    let other = if last == "oyster" { "canyon" } else { "oyster" };
    let wrong = format!("{}{other}@{relay}", rest.strip_suffix(last).unwrap());
    let (answer, exit) = bob.json(&["join", &wrong]);
    assert_eq!((answer["error"]["code"].as_str(), exit), (Some("wrong_code"), 4), "{answer}");
    assert_eq!(pairing.json()["error"]["code"], "wrong_code");
    assert_eq!(pairing.end().code, 4);
    // One guess is all that there is.
    let (answer, exit) = bob.json(&["join", &code]);
    assert_eq!(exit, 4, "{answer}");
    for side in [&alice, &bob] {
        assert!(side.json(&["peers"]).0["peers"].as_array().unwrap().is_empty());
    }
}

//! A whole pairing, each implementation in each role.

use serde_json::{Value, json};
use wire_core::pairing::{Established, Initiator, Responder, Role};

use crate::python::{Python, bytes, hex};
use crate::support::{CODE, OTHER_CODE, Party, SeededRng, URL, context, relay, words};

/// The Python side makes itself known under that name.
pub(crate) fn agent(python: &Python, name: &str) -> Value {
    let relay = hex(relay().as_bytes());
    python.ask(json!({ "op": "agent_new", "agent": name, "url": URL, "relay_id": relay, "display": name }))
}

/// Pairs; the Python side has its result under the name `pair`.
pub(crate) fn pair(python: &Python, party: &Party, role: Role, rng: &mut SeededRng) -> (Established, Value) {
    agent(python, "python");
    let other = if role == Role::Initiator { "B" } else { "A" };
    let relay = hex(relay().as_bytes());
    let begun = python.ask(json!({
        "op": "pair_start", "pair": "pair", "role": other, "agent": "python", "relay_id": relay, "code": CODE,
    }));
    let say =
        |op: &str, message: &[u8]| python.ask(json!({ "op": op, "pair": "pair", "message": hex(message) }));
    match role {
        Role::Initiator => {
            let (a, m1) = Initiator::start(&words(CODE), context(), rng);
            let m2 = bytes(&say("pair_m1", &m1)["m2"]);
            let (a, m3) = a.receive_m2(&m2).unwrap().offer(party.offer(), rng).unwrap();
            let result = say("pair_m3", &m3);
            (a.receive_m4(&bytes(&result["m4"]), rng).unwrap(), result)
        }
        Role::Responder => {
            let m1 = bytes(&begun["m1"]);
            let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
            let m3 = bytes(&say("pair_m2", &m2)["m3"]);
            let own = party.identity.root();
            let (b, m4) = b.receive_m3(&m3, own).unwrap().confirm(party.offer(), rng).unwrap();
            (b, say("pair_m4", &m4))
        }
    }
}

#[test]
fn and_both_have_the_same() {
    let Some(python) = Python::start() else { return };
    let rng = &mut SeededRng::new(11);
    for role in [Role::Initiator, Role::Responder].into_iter().cycle().take(6) {
        let party = Party::new("rust", rng);
        let (ours, theirs) = pair(&python, &party, role, rng);
        assert_eq!(ours.role, role);
        assert_eq!(hex(ours.session.id().as_bytes()), theirs["session_id"]);
        let words: Vec<&str> =
            theirs["sas"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        assert_eq!(ours.sas.words().as_slice(), words);
        let reset = [hex(ours.reset_keys.own.expose()), hex(ours.reset_keys.peer.expose())];
        let (own, peer) = if role == Role::Initiator { ("rstA", "rstB") } else { ("rstB", "rstA") };
        assert_eq!(reset, [own, peer].map(|name| theirs["keys"][name].as_str().unwrap().to_owned()));
        assert_eq!(hex(party.identity.root().as_bytes()), theirs["peer"]["root"]);
        assert_eq!(theirs["peer"]["display"], "rust");
        assert_eq!(hex(party.certificate.as_bytes()), theirs["peer"]["certificate"]);
        assert_eq!(ours.peer.display.as_str(), "python");
        assert_eq!(ours.peer.url, URL);
    }
}

#[test]
fn another_code_fails_on_both_sides() {
    let Some(python) = Python::start() else { return };
    let rng = &mut SeededRng::new(12);
    let party = Party::new("rust", rng);
    agent(&python, "python");
    let relay = hex(relay().as_bytes());
    let start = |role: &str| {
        python.ask(json!({
            "op": "pair_start", "pair": "pair", "role": role, "agent": "python", "relay_id": relay, "code": OTHER_CODE,
        }))
    };
    start("B");
    let (a, m1) = Initiator::start(&words(CODE), context(), rng);
    let m2 = python.ask(json!({ "op": "pair_m1", "pair": "pair", "message": hex(&m1) }));
    let (_, m3) = a.receive_m2(&bytes(&m2["m2"])).unwrap().offer(party.offer(), rng).unwrap();
    let refused = python.refuses(json!({ "op": "pair_m3", "pair": "pair", "message": hex(&m3) }));
    assert_eq!(refused, "confirm");
    let m1 = bytes(&start("A")["m1"]);
    let (b, m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
    let m3 = python.ask(json!({ "op": "pair_m2", "pair": "pair", "message": hex(&m2) }));
    assert!(b.receive_m3(&bytes(&m3["m3"]), party.identity.root()).is_err());
}

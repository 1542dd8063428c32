//! The real order of things: the shim is the first process, and attests by a child of its own before it
//! runs anything; later, when it is asked; and through the engine's exec, while it lives.

use std::collections::BTreeSet;

use crate::support::hardened::{Attached, Container, Nonce, body, expected};
use crate::support::images;
use serde_json::json;
use wire_core::spawn::{Attestation, Control};
use wire_shim::protocol::{FromShim, Life, Setup, ToShim, Token, VERSION};

fn setup(nonce: &Nonce) -> ToShim {
    ToShim::Configure(Box::new(Setup {
        token: Token::from_bytes([1; 32]),
        life: Life::default(),
        grace_ms: 100,
        files: Vec::new(),
        main: None,
        ends_with_main: false,
        nonce: Some(nonce.bytes),
    }))
}

/// Starts it, and gives the evidence that comes before anything runs.
fn started(body: &serde_json::Value, nonce: &Nonce) -> (Container, Attached, Vec<u8>) {
    let container = Container::create(body);
    let mut attached = container.start_attached();
    attached.say(&ToShim::Hello { version: VERSION, token: None });
    let welcome = attached.hear();
    assert_eq!(welcome, FromShim::Welcome { version: VERSION, configured: false });
    attached.say(&setup(nonce));
    let FromShim::Configured { evidence } = attached.hear() else { panic!("no evidence") };
    (container, attached, evidence)
}

#[test]
fn every_control_holds_before_anything_runs_and_later() {
    let mut body = body(&images::scratch(), &[wire_shim::PATH]);
    body["OpenStdin"] = json!(true);
    body["StdinOnce"] = json!(true);
    let nonce = Nonce::new();
    let (container, mut attached, evidence) = started(&body, &nonce);
    let attestation = Attestation::read(&evidence, &nonce.bytes, &expected()).unwrap();
    assert!(attestation.holds(), "{attestation}");

    let again = Nonce::new();
    attached.say(&ToShim::Attest { req: 7, nonce: again.bytes });
    let FromShim::Evidence { req: 7, evidence } = attached.hear() else { panic!("no evidence") };
    let attestation = Attestation::read(&evidence, &again.bytes, &expected()).unwrap();
    assert!(attestation.holds(), "{attestation}");
    // An old answer is told from a new one.
    assert!(Attestation::read(&evidence, &nonce.bytes, &expected()).is_err());

    let (_, attestation) = container.attest("65532:65532", &expected());
    assert!(attestation.holds(), "{attestation}");
    let mut root = expected();
    root.user = (0, 0);
    let (evidence, attestation) = container.attest("0:0", &root);
    let broken: Vec<_> = attestation.broken().map(|row| row.control).collect();
    assert_eq!(broken, [Control::User, Control::Tmp, Control::RunWire], "{attestation}");
    assert!(evidence.status.caps.values().all(|set| *set == 0));
}

/// What would change how programs are loaded is seen, though the attestor itself loads nothing.
#[test]
fn the_containers_environment_is_seen() {
    let mut body = body(&images::scratch(), &[wire_shim::PATH]);
    body["OpenStdin"] = json!(true);
    body["StdinOnce"] = json!(true);
    body["Env"] = json!(["LD_PRELOAD=/evil.so"]);
    let nonce = Nonce::new();
    let (_container, _attached, evidence) = started(&body, &nonce);
    let attestation = Attestation::read(&evidence, &nonce.bytes, &expected()).unwrap();
    let broken: BTreeSet<_> = attestation.broken().map(|row| row.control).collect();
    assert_eq!(broken, BTreeSet::from([Control::Env]), "{attestation}");
}

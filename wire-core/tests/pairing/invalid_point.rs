//! Attack 6: a share that is the identity, not canonical, negative, or no point at all. The values
//! are those of draft-irtf-cfrg-cpace-21 and of RFC 9496, A.2.

use crate::support::{CODE, SeededRng, context, words};
use data_encoding::HEXLOWER_PERMISSIVE;
use wire_core::pairing::{Initiator, PairingError, Responder};

const INVALID: &[(&str, &str)] = &[
    ("the identity", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("a non-canonical zero", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("a non-canonical field element", "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("a set top bit", "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("a negative field element", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("a negative field element", "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("a non-square", "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
];

fn invalid_points() -> Vec<(String, [u8; 32])> {
    let draft: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/cpace-draft-21.json")).unwrap();
    let named = |name: &str| {
        let text = draft["G_Coffee25519_points"][name].as_str().unwrap().to_owned();
        (name.to_owned(), text)
    };
    let mut all: Vec<_> = INVALID.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    all.extend([named("Invalid Y1"), named("Invalid Y2")]);
    let bytes = |t: &str| HEXLOWER_PERMISSIVE.decode(t.as_bytes()).unwrap().try_into().unwrap();
    all.iter().map(|(n, t)| (n.clone(), bytes(t))).collect()
}

#[test]
fn b_refuses_them_in_m1() {
    let rng = &mut SeededRng::new(1);
    for (name, point) in invalid_points() {
        let (_, mut m1) = Initiator::start(&words(CODE), context(), rng);
        m1[34..66].copy_from_slice(&point);
        let result = Responder::respond(&words(CODE), context(), &m1, rng);
        assert_eq!(result.err(), Some(PairingError::Failed), "{name}");
    }
}

#[test]
fn a_refuses_them_in_m2() {
    let rng = &mut SeededRng::new(2);
    for (name, point) in invalid_points() {
        let (a, m1) = Initiator::start(&words(CODE), context(), rng);
        let (_, mut m2) = Responder::respond(&words(CODE), context(), &m1, rng).unwrap();
        m2[1..33].copy_from_slice(&point);
        assert_eq!(a.receive_m2(&m2).err(), Some(PairingError::Failed), "{name}");
    }
}

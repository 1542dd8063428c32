//! Attack test 21: the peer's header carries a ratchet key of low order, which would make the next
//! root key known to everyone who can guess that.

use wire_core::session::OpenError;
use wire_core::testing::{Forged, NOW, SeededRng, copy, deliver, forge, sessions};

/// The u-coordinates of low order on the curve and its twist, and their encodings at or above the
/// field's modulus (RFC 7748 §6.1 and §7; cr.yp.to/ecdh.html).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000", // 0
    "0100000000000000000000000000000000000000000000000000000000000000", // 1
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", // order 8
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", // order 8
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p - 1
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1
];

fn keys() -> impl Iterator<Item = [u8; 32]> {
    LOW_ORDER.iter().flat_map(|hex| {
        let mut key = [0u8; 32];
        for (byte, pair) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        // X25519 ignores the top bit
        let mut masked = key;
        masked[31] |= 0x80;
        [key, masked]
    })
}

#[test]
fn a_ratchet_key_of_low_order_is_refused() {
    let mut rng = SeededRng::new(1);
    let (mut alice, mut bob) = sessions(21);
    for round in 0..3 {
        let before = bob.to_bytes();
        for dh in keys() {
            let bad = forge(&mut copy(&alice), Forged { dh: Some(dh), ..Forged::default() }, b"x", &mut rng);
            assert_eq!(bob.open(&bad, NOW, &mut rng).unwrap_err(), OpenError::Crypto, "round {round} {dh:?}");
        }
        assert_eq!(bob.to_bytes(), before);
        let good = forge(&mut alice, Forged::default(), b"good", &mut rng);
        deliver(&mut bob, &good, &mut rng).unwrap();
        // now in the middle of a chain, where the key may not change at all
        let other = [9; 32];
        let bad = forge(&mut copy(&alice), Forged { dh: Some(other), ..Forged::default() }, b"x", &mut rng);
        assert_eq!(bob.open(&bad, NOW, &mut rng).unwrap_err(), OpenError::Crypto);
        let answer = forge(&mut bob, Forged::default(), b"answer", &mut rng);
        deliver(&mut alice, &answer, &mut rng).unwrap();
    }
}

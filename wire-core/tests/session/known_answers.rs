//! The first envelopes of a session whose every random byte is known. An independent implementation,
//! written from the protocol's text with another library's primitives, gives the same bytes.
//!
//! Seeds: `testing::sessions(7)` for the keys, block i of `SeededRng::new(8)` being SHA-256(8 ‖ i),
//! both numbers in 8 bytes, for all that is drawn after.

use wire_core::envelope::{DEFAULT_MAX, EnvelopeHash};
use wire_core::session::{Lane, Session};
use wire_core::testing::{SeededRng, deliver, sessions};

/// Every envelope here starts with version 01 and suite 01.
struct Known {
    len: usize,
    /// HMAC-SHA256(HKDF(mk), random32 ‖ payload), cut.
    nonce: &'static str,
    /// dh32 ‖ pn4 ‖ n4, sealed, with its tag.
    header: &'static str,
    /// SHA-256 of the whole.
    hash: &'static str,
}

/// B's first chain, n 0, pn 0: "from B, first" under hkB.
const B_FIRST: Known = Known {
    len: 512,
    nonce: "7f59ab922457a9263a066d0c9635ca3e4a5a5cb6b7dc6348",
    header: "12472e0971c0a98fab8716544c8894917e52e210cfb3005e4cee873e3f9cc6e43cc50ca644ddeda1\
             b309a62f4c97c1120fb91c234279cb9b",
    hash: "e3c616c41eddb2d0be64b0dc0f832e7256de9e0a832d281aa7fb019d6cadefc6",
};
/// A's first chain, n 0, pn 0: "from A, first" under hkA, sealed before A has heard anything.
const A_FIRST: Known = Known {
    len: 512,
    nonce: "6a207346775c48292c3d7bea865963758b1b23294df35052",
    header: "d2cc842eef8203ddf90766031e8b3f75cde1a7df0b786d1aa99438ade884f434e0f4307938fbf986\
             e644d715f0c624254ae58d73f68fc339",
    hash: "747d8aea1a53d4e5f01fb44b95cfa88bf6c1883630a844b7b1ec30b18f187b17",
};
/// B's second chain, n 0, pn 1: 1,000 bytes 5a, which need the class of 2,048.
const B_SECOND: Known = Known {
    len: 2048,
    nonce: "76cafe474039bbbe0daf6a162730cf5991679812d58f9020",
    header: "357aa12747d51d2242cab28d5f30e1018e41772034e32c6c551a6daf1af31a4d18d298473ff45b03\
             9813700000dafa5ad01051a87b53859b",
    hash: "133e44823cab507785cf2ba3813352e6d545263c90e8fb5b6ad74bb175ea30f7",
};
/// A's second chain, n 0, pn 1: nothing at all.
const A_SECOND: Known = Known {
    len: 512,
    nonce: "08f05a994029baac68114d809499aee052952c5ecd652fd3",
    header: "d6b38bbc1d26c1ade76703c1bad3c16d0fa4de872484d3d86a7b7dd26bf9442b49c0504f2092788f\
             b9b3f9e52d8542645a8703abc5bba9e9",
    hash: "cef72891a30d9d338d668f974125bbb3c51b48f230df5cecdec3144ddb1de875",
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn sealed(from: &mut Session, payload: &[u8], rng: &mut SeededRng, known: &Known) -> Vec<u8> {
    let envelope = from.seal(Lane::Ordinary, payload, DEFAULT_MAX, rng).unwrap();
    assert_eq!(envelope.len(), known.len);
    assert_eq!(hex(&envelope[..2]), "0101");
    assert_eq!(hex(&envelope[2..26]), known.nonce);
    assert_eq!(hex(&envelope[26..82]), known.header);
    assert_eq!(hex(EnvelopeHash::of(&envelope).as_bytes()), known.hash);
    envelope
}

#[test]
fn the_first_envelopes_are_these_bytes() {
    let mut rng = SeededRng::new(8);
    let (mut a, mut b) = sessions(7);
    let b_first = sealed(&mut b, b"from B, first", &mut rng, &B_FIRST);
    let a_first = sealed(&mut a, b"from A, first", &mut rng, &A_FIRST);
    deliver(&mut b, &a_first, &mut rng).unwrap();
    let b_second = sealed(&mut b, &[0x5a; 1000], &mut rng, &B_SECOND);
    deliver(&mut a, &b_first, &mut rng).unwrap();
    deliver(&mut a, &b_second, &mut rng).unwrap();
    let a_second = sealed(&mut a, b"", &mut rng, &A_SECOND);
    assert_eq!(deliver(&mut b, &a_second, &mut rng).unwrap(), b"");
}

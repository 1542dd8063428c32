//! Known answers from the RFCs for what Wycheproof has no vectors of: signing, the public half of a
//! key, and chained agreements.

use super::dh::{DhKeyPair, DhPublic};
use super::{kdf, sign};

fn hex<const N: usize>(text: &str) -> [u8; N] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

/// RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature.
const ED25519: [(&str, &str, &[u8], &str); 3] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        &[],
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
         d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        &[0x72],
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
         387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        &[0xaf, 0x82],
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
         4a7c15e9716ed28dc027beceea1ec40a",
    ),
];

#[test]
fn rfc_8032_ed25519_signs() {
    for (seed, public, message, signature) in ED25519 {
        let pair = sign::SignKeyPair::from_seed(&hex(seed));
        assert_eq!(pair.public(), hex(public));
        assert_eq!(pair.sign(&[], &[message]), hex(signature));
        assert_eq!(pair.sign(message, &[]), hex(signature));
        assert_eq!(*pair.seed(), hex(seed));
    }
}

/// RFC 7748 §6.1: each side's secret and public key.
const X25519: [(&str, &str); 2] = [
    (
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    ),
    (
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    ),
];

#[test]
fn rfc_7748_x25519_agrees() {
    let [a, b] = X25519.map(|(secret, public)| {
        let pair = DhKeyPair::from_secret_bytes(&hex(secret));
        assert_eq!(*pair.public().as_bytes(), hex(public));
        assert_eq!(*pair.secret_bytes(), hex(secret));
        pair
    });
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(*a.agree(&b.public()).unwrap(), shared);
    assert_eq!(*b.agree(&a.public()).unwrap(), shared);
}

/// RFC 7748 §5.2: the result of one step is the scalar of the next.
#[test]
fn rfc_7748_x25519_iterates() {
    let mut base = [0u8; 32];
    base[0] = 9;
    let (mut k, mut u) = (base, base);
    for i in 1..=1000 {
        let shared = *DhKeyPair::from_secret_bytes(&k).agree(&DhPublic::from_bytes(u)).unwrap();
        (k, u) = (shared, k);
        if i == 1 {
            assert_eq!(k, hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
        }
    }
    assert_eq!(k, hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn rfc_4231_case_2_hmac() {
    let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    assert_eq!(
        kdf::hmac256(b"Jefe", &parts),
        hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
    assert_eq!(
        kdf::hmac512(b"Jefe", &parts),
        hex(
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
             caeab1a34d4a6b4b636e070a38bce737"
        )
    );
}

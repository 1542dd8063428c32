//! Agreement with an independent COSE implementation, and refusal of every other algorithm.

use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};

use super::*;
use crate::identity::IdentityKeyPair;
use crate::tests_rng::rng;

const SESSION: SessionId = SessionId::from_bytes([7; 32]);

fn aad() -> Vec<u8> {
    [CONTEXT, SESSION.as_bytes()].concat()
}

fn coset_signed(key: &IdentityKeyPair, alg: Option<iana::Algorithm>, kid: Option<&[u8]>) -> Vec<u8> {
    let mut protected = HeaderBuilder::new();
    if let Some(alg) = alg {
        protected = protected.algorithm(alg);
    }
    let mut unprotected = HeaderBuilder::new();
    if let Some(kid) = kid {
        unprotected = unprotected.key_id(kid.to_vec());
    }
    CoseSign1Builder::new()
        .protected(protected.build())
        .unprotected(unprotected.build())
        .payload(b"payload".to_vec())
        .create_signature(&aad(), |m| key.sign(m, &[]).to_vec())
        .build()
        .to_vec()
        .unwrap()
}

#[test]
fn both_implementations_write_the_same_bytes_and_accept_each_other() {
    let key = IdentityKeyPair::generate(&mut rng());
    let ours = sign(&key, &SESSION, b"payload");
    assert_eq!(ours, coset_signed(&key, Some(iana::Algorithm::EdDSA), None));
    CoseSign1::from_slice(&ours)
        .unwrap()
        .verify_signature(&aad(), |sig, m| key.public().verify(m, &[], sig.try_into().unwrap()))
        .unwrap();
    assert_eq!(verify(&key.public().into(), &SESSION, &ours), Ok(b"payload".as_slice()));
}

#[test]
fn no_other_algorithm_and_no_key_id_is_accepted() {
    let key = IdentityKeyPair::generate(&mut rng());
    for (alg, kid) in [
        (None, None),
        (Some(iana::Algorithm::ES256), None),
        (Some(iana::Algorithm::HMAC_256_256), None),
        (Some(iana::Algorithm::EdDSA), Some(b"kid".as_slice())),
    ] {
        let cose = coset_signed(&key, alg, kid);
        assert_eq!(verify(&key.public().into(), &SESSION, &cose), Err(RecordError::Malformed), "{alg:?}");
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let key = IdentityKeyPair::generate(&mut rng());
    let cose = sign(&key, &SESSION, &[9; 40]);
    for i in 0..cose.len() * 8 {
        let mut bad = cose.clone();
        bad[i / 8] ^= 1 << (i % 8);
        assert!(verify(&key.public().into(), &SESSION, &bad).is_err(), "bit {i}");
    }
    for n in 0..cose.len() {
        assert!(verify(&key.public().into(), &SESSION, &cose[..n]).is_err(), "length {n}");
    }
    assert!(verify(&key.public().into(), &SessionId::from_bytes([8; 32]), &cose).is_err());
}

#[test]
fn a_longer_head_for_the_same_length_is_refused() {
    let key = IdentityKeyPair::generate(&mut rng());
    let cose = sign(&key, &SESSION, &[9; 10]);
    // the payload's head 0x4a (length 10 in one byte) written as 0x58 0x0a
    let mut long = cose[..6].to_vec();
    assert_eq!(cose[6], 0x4a);
    long.extend_from_slice(&[0x58, 0x0a]);
    long.extend_from_slice(&cose[7..]);
    assert_eq!(verify(&key.public().into(), &SESSION, &long), Err(RecordError::Malformed));
}

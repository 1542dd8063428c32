//! Against an independent implementation, and what FIPS 203 asks of an input.

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PublicKey};
use rand_core::Rng as _;

use super::*;

/// 200 runs: the same key from the same seed, the same ciphertext and secret from the same message,
/// either implementation opens what the other closed, and both reject a changed ciphertext to the
/// same unrelated secret.
#[test]
fn two_hundred_runs_agree_with_libcrux_ml_kem() {
    let mut rng = crate::testing::SeededRng::new(0x3e3);
    for run in 0..200 {
        let seed = KemSeed::random(&mut rng);
        let mut m = [0u8; 32];
        rng.fill_bytes(&mut m);

        let theirs = mlkem768::generate_key_pair(*seed.expose());
        let ek = seed.encapsulation_key();
        assert_eq!(&ek, theirs.pk(), "key of run {run}");

        let (ct, ss) = encapsulate_deterministic(&ek, &m).unwrap();
        let (their_ct, their_ss) = mlkem768::encapsulate(&MlKem768PublicKey::from(ek), m);
        assert_eq!(&ct, their_ct.as_slice(), "ciphertext of run {run}");
        assert_eq!(*ss, their_ss, "secret of run {run}");

        assert_eq!(*seed.decapsulate(their_ct.as_slice()), their_ss);
        assert_eq!(mlkem768::decapsulate(theirs.private_key(), &MlKem768Ciphertext::from(ct)), *ss);

        let mut changed = ct;
        changed[usize::from(m[0])] ^= 1;
        let rejected = seed.decapsulate(&changed);
        assert_ne!(rejected, ss);
        assert_eq!(
            mlkem768::decapsulate(theirs.private_key(), &MlKem768Ciphertext::from(changed)),
            *rejected
        );
    }
}

#[test]
fn a_key_with_a_coefficient_at_the_modulus_is_refused() {
    let rng = &mut crate::tests_rng::rng();
    let good = KemSeed::random(rng).encapsulation_key();
    assert!(encapsulate(&good, rng).is_ok());
    // Coefficients are 12 bits, two in three bytes; the modulus is 3329 = 0xd01.
    for (low, high, accepted) in [(0x00, 0x0d, true), (0x01, 0x0d, false), (0xff, 0x0f, false)] {
        for at in [0, 3 * 127, 3 * 383] {
            let mut ek = good;
            ek[at] = low;
            ek[at + 1] = (ek[at + 1] & 0xf0) | high;
            assert_eq!(encapsulate(&ek, rng).is_ok(), accepted, "{low:02x}{high:02x} at {at}");
            let theirs = mlkem768::validate_public_key(&MlKem768PublicKey::from(ek));
            assert_eq!(theirs, accepted);
        }
    }
}

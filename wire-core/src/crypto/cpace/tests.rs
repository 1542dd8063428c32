//! The vectors of draft-irtf-cfrg-cpace-21 for `G_Coffee25519`, by name.

use super::*;

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/vectors/cpace-draft-21.json")).unwrap()
}

fn hex(group: &str, name: &str) -> Vec<u8> {
    let v = vectors();
    let text = v[group][name].as_str().unwrap_or_else(|| panic!("no vector {group}.{name}"));
    data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap()
}

fn array(group: &str, name: &str) -> [u8; 32] {
    hex(group, name).try_into().unwrap()
}

#[test]
fn draft_21_g_coffee25519() {
    const G: &str = "G_Coffee25519";
    let (prs, ci, sid) = (hex(G, "PRS"), hex(G, "CI"), hex(G, "sid"));
    assert_eq!(generator(&prs, &ci, &sid).compress().to_bytes(), array(G, "g"));

    let scalar = |name| Scalar::from_canonical_bytes(array(G, name)).unwrap();
    let (a, ya) = Ephemeral::with_scalar(&prs, &ci, &sid, scalar("ya"));
    let (b, yb) = Ephemeral::with_scalar(&prs, &ci, &sid, scalar("yb"));
    assert_eq!(ya, array(G, "Ya"));
    assert_eq!(yb, array(G, "Yb"));

    let k = a.agree(&yb).unwrap();
    assert_eq!(*k, array(G, "K"));
    assert_eq!(*b.agree(&ya).unwrap(), *k);
    let (ad_a, ad_b) = (hex(G, "ADa"), hex(G, "ADb"));
    assert_eq!(isk(&sid, &k, (&ya, &ad_a), (&yb, &ad_b)).to_vec(), hex(G, "ISK_IR"));
}

#[test]
fn draft_21_scalar_mult_vfy() {
    const G: &str = "G_Coffee25519_points";
    let v = vectors();
    let valid = |name: &str| -> [u8; 32] {
        let text = v[G]["Valid"][name].as_str().unwrap();
        data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap().try_into().unwrap()
    };
    let s = || Ephemeral::from_bytes(&valid("s")).unwrap();
    assert_eq!(*s().agree(&valid("X")).unwrap(), valid("G.scalar_mult_vfy(s,X)"));
    assert!(s().agree(&array(G, "Invalid Y1")).is_err());
    assert!(s().agree(&array(G, "Invalid Y2")).is_err());
    assert!(check_share(&array(G, "Invalid Y1")).is_err());
    assert!(check_share(&array(G, "Invalid Y2")).is_err());
}

/// The suite of the independent implementation, which has CPace but names it for its own features.
struct Oracle;

impl pakery_cpace::CpaceCiphersuite for Oracle {
    type Group = pakery_crypto::Ristretto255Group;
    type Hash = pakery_crypto::Sha512Hash;
    const DSI: &'static [u8] = DSI;
    const HASH_BLOCK_SIZE: usize = HASH_BLOCK;
    const FIELD_SIZE_BYTES: usize = 32;
}

/// 200 runs with pakery-cpace on the other side, alternately as responder and as initiator; PRS
/// from empty to longer than the hash block, CI and associated data of all small lengths.
#[test]
fn two_hundred_runs_agree_with_pakery_cpace() {
    use pakery_cpace::{CpaceInitiator, CpaceMode::InitiatorResponder, CpaceResponder};
    use rand_core::Rng as _;

    let mut rng = crate::testing::SeededRng::new(0xc9ace);
    for run in 0..200usize {
        let mut bytes = |len: usize| {
            let mut out = vec![0u8; len];
            rng.fill_bytes(&mut out);
            out
        };
        let (prs, ci, sid) = (bytes(run * 3 / 2), bytes(run), bytes(32));
        let (ad_a, ad_b) = (bytes(run % 7 * 200), bytes(run % 5 * 90));
        let share = |bytes: &[u8]| -> Share { bytes.try_into().unwrap() };
        if run % 2 == 0 {
            let (a, ya) = Ephemeral::start(&prs, &ci, &sid, &mut rng);
            let (yb, theirs) = CpaceResponder::<Oracle>::respond(
                &ya,
                &prs,
                &ci,
                &sid,
                &ad_a,
                &ad_b,
                InitiatorResponder,
                &mut rng,
            )
            .unwrap();
            let yb = share(&yb);
            let ours = isk(&sid, &a.agree(&yb).unwrap(), (&ya, &ad_a), (&yb, &ad_b));
            assert_eq!(ours.as_slice(), theirs.isk.as_bytes(), "run {run}");
        } else {
            let (ya, state) = CpaceInitiator::<Oracle>::start(&prs, &ci, &sid, &ad_a, &mut rng).unwrap();
            let ya = share(&ya);
            let (b, yb) = Ephemeral::start(&prs, &ci, &sid, &mut rng);
            let ours = isk(&sid, &b.agree(&ya).unwrap(), (&ya, &ad_a), (&yb, &ad_b));
            let theirs = state.finish(&yb, &ad_b, InitiatorResponder).unwrap();
            assert_eq!(ours.as_slice(), theirs.isk.as_bytes(), "run {run}");
        }
    }
}

#[test]
fn a_stored_scalar_agrees_like_the_one_in_memory() {
    let rng = &mut crate::tests_rng::rng();
    let (a, _) = Ephemeral::start(b"oyster", b"ci", b"sid", rng);
    let (_, yb) = Ephemeral::start(b"oyster", b"ci", b"sid", rng);
    let again = Ephemeral::from_bytes(&a.to_bytes()).unwrap();
    assert_eq!(a.agree(&yb).unwrap(), again.agree(&yb).unwrap());
    assert!(Ephemeral::from_bytes(&[0xff; 32]).is_err());
}

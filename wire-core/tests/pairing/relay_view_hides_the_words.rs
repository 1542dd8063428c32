//! Two runs that differ only in the words: what the relay sees of them differs only in fields that are
//! fresh in every run anyway.

use std::collections::BTreeSet;

use crate::support::{CODE, OTHER_CODE, Party, SeededRng, context, run, words};

type Field = std::ops::Range<usize>;

/// Where the bytes are that a run draws anew or computes from what it drew: share, share, and tag
/// and box of M3 and M4.
const SHARE_A: Field = 34..66;
const SHARE_B: Field = 1..33;
const FRESH: [&[Field]; 4] = [&[SHARE_A], &[SHARE_B], &[0..64, 88..4200], &[0..64, 88..4200]];
const SID: Field = 2..34;
const EK: Field = 68..1252;
const CT: Field = 34..1122;
const BOX_NONCE: Field = 64..88;
/// What is drawn as it is, or follows from nothing else.
const DRAWN: [&[Field]; 4] = [&[SID, EK], &[CT], &[BOX_NONCE], &[BOX_NONCE]];

fn wire(seed: u64, code: &str) -> [Vec<u8>; 4] {
    let mut parties = SeededRng::new(0);
    let (alice, bob) = (Party::new("alice", &mut parties), Party::new("bob", &mut parties));
    run(&words(code), &context(), (&alice, &bob), &mut SeededRng::new(seed)).unwrap().wire
}

#[test]
fn with_the_same_randomness_only_fresh_fields_differ() {
    for seed in 1..6 {
        let (one, two) = (wire(seed, CODE), wire(seed, OTHER_CODE));
        for (i, fresh) in FRESH.iter().enumerate() {
            assert_eq!(one[i].len(), two[i].len());
            for at in 0..one[i].len() {
                let may_differ = fresh.iter().any(|f| f.contains(&at));
                assert!(may_differ || one[i][at] == two[i][at], "M{} byte {at}", i + 1);
            }
            for field in *fresh {
                assert_ne!(one[i][field.clone()], two[i][field.clone()], "M{}", i + 1);
            }
        }
    }
}

/// The same words and the same parties never show the same field twice: nothing in them is a function
/// of the words alone.
#[test]
fn with_the_same_words_every_field_is_new() {
    let runs: Vec<_> = (100..132).map(|seed| wire(seed, CODE)).collect();
    for (i, (fresh, drawn)) in FRESH.iter().zip(DRAWN).enumerate() {
        for field in fresh.iter().chain(drawn) {
            // in pieces of 16 bytes, so that no part of a field repeats either
            for start in field.clone().step_by(16) {
                let seen: BTreeSet<_> =
                    runs.iter().map(|r| &r[i][start..(start + 16).min(field.end)]).collect();
                assert_eq!(seen.len(), runs.len(), "M{} byte {start}", i + 1);
            }
        }
    }
}

/// Lengths say nothing: neither of the words nor of what is in the offers.
#[test]
fn lengths_do_not_depend_on_what_is_inside() {
    let lengths = |code: &str| wire(1, code).map(|m| m.len());
    assert_eq!(lengths(CODE), [1252, 1122, 4200, 4200]);
    assert_eq!(lengths("4821-act-add-age"), lengths("4821-abstract-accident-universe"));
    let rng = &mut SeededRng::new(9);
    let long = Party::new("sixty-four bytes are as long as a display name is allowed to get", rng);
    let none = Party::new("", rng);
    let r = run(&words(CODE), &context(), (&long, &none), rng).unwrap();
    assert_eq!(r.wire.map(|m| m.len()), [1252, 1122, 4200, 4200]);
}

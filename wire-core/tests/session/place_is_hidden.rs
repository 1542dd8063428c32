//! Which message of a session an envelope is cannot be told from it: neither its number in the chain
//! (n), nor the length of the chain before (pn), nor the number of the record in it (seq).
//!
//! The randomness is that of a seed, so each count here is the same on every machine. A test of the
//! tests runs them on envelopes that do tell, and there they find it.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, Session};
use wire_core::testing::{SeededRng, deliver, sessions};

/// The payload of every envelope that is compared, but for the number of its record.
fn payload(seq: u64) -> Vec<u8> {
    [&seq.to_be_bytes(), [0x5a; 300].as_slice()].concat()
}

fn seal(from: &mut Session, seq: u64, rng: &mut SeededRng) -> Vec<u8> {
    from.seal(Lane::Ordinary, &payload(seq), DEFAULT_MAX, rng).unwrap()
}

/// The first `count` envelopes of one chain: n and seq rise by one each time.
fn chain(count: u64) -> Vec<Vec<u8>> {
    let (mut alice, _) = sessions(1);
    let rng = &mut SeededRng::new(2);
    (0..count).map(|seq| seal(&mut alice, seq, rng)).collect()
}

/// The first envelope of the chain that follows one of `pn` envelopes.
fn first_after(pn: u64) -> Vec<u8> {
    let (mut alice, mut bob) = sessions(1);
    let rng = &mut SeededRng::new(3);
    for seq in 0..pn {
        seal(&mut alice, seq, &mut SeededRng::new(4));
    }
    let answer = seal(&mut bob, 1, rng);
    deliver(&mut alice, &answer, rng).unwrap();
    seal(&mut alice, 1, rng)
}

/// Everything that can be read off envelopes of one length, where envelope i has the number i: bytes that
/// never change, and bits that go with a bit of the number more often than chance has it.
#[derive(Debug, PartialEq)]
struct Told {
    constant: Vec<usize>,
    correlated: Vec<(usize, u32)>,
}

fn told(envelopes: &[Vec<u8>]) -> Told {
    let count = envelopes.len();
    let len = envelopes[0].len();
    assert!(count.is_power_of_two() && envelopes.iter().all(|e| e.len() == len));
    let constant = (0..len).filter(|&at| envelopes.iter().all(|e| e[at] == envelopes[0][at])).collect();
    // Seven standard deviations of a fair coin: 2^-38 for each of some 40,000 pairs of bits.
    let far = 7.0 * (count as f64).sqrt() / 2.0;
    let mut correlated = Vec::new();
    for bit_of_number in 0..count.ilog2() {
        // For each bit of the envelope, how often it equals that bit of the number.
        let mut equal = vec![0u32; len * 8];
        for (i, envelope) in envelopes.iter().enumerate() {
            let flip = if i >> bit_of_number & 1 == 1 { 0x00 } else { 0xff };
            for (at, byte) in envelope.iter().enumerate() {
                for bit in 0..8 {
                    equal[at * 8 + bit] += u32::from((byte ^ flip) >> bit & 1);
                }
            }
        }
        let strays = |&at: &usize| (f64::from(equal[at]) - count as f64 / 2.0).abs() > far;
        correlated.extend((0..len * 8).filter(strays).map(|at| (at / 8, bit_of_number)));
    }
    correlated.dedup();
    Told { constant, correlated }
}

#[test]
fn a_thousand_envelopes_of_a_chain_share_version_and_suite_and_tell_no_number() {
    let envelopes = chain(1024);
    assert_eq!(envelopes[0].len(), 512);
    assert_eq!(envelopes[0][..2], [1, 1]);
    assert_eq!(told(&envelopes), Told { constant: vec![0, 1], correlated: vec![] });
}

#[test]
fn the_length_of_the_chain_before_is_not_told_either() {
    let envelopes: Vec<_> = (0..128).map(first_after).collect();
    assert_eq!(told(&envelopes), Told { constant: vec![0, 1], correlated: vec![] });
}

/// No byte of nonce or header comes back: not at its place, and not shifted.
#[test]
fn no_eight_bytes_ever_repeat() {
    let mut seen = std::collections::HashSet::new();
    for envelope in chain(1024) {
        for window in envelope[2..].windows(8) {
            assert!(seen.insert(<[u8; 8]>::try_from(window).unwrap()));
        }
    }
}

/// With the same randomness too the first and the thousandth differ in all that is sealed, and in
/// nothing else.
#[test]
fn the_first_and_the_thousandth_differ_only_in_what_is_sealed() {
    let at = |n: u64| {
        let (mut alice, _) = sessions(1);
        for seq in 0..n {
            seal(&mut alice, seq, &mut SeededRng::new(4));
        }
        seal(&mut alice, n, &mut SeededRng::new(5))
    };
    let first = at(0);
    for n in [1, 255, 256, 999, 1499] {
        let later = at(n);
        assert_eq!(later.len(), first.len());
        assert_eq!(later[..2], first[..2]);
        for field in [2..26, 26..82, 82..496, 496..512] {
            assert_ne!(later[field.clone()], first[field], "n = {n}");
        }
    }
}

#[test]
fn envelopes_that_tell_are_found_out() {
    let honest = chain(256);
    let leaking = |leak: &dyn Fn(&mut Vec<u8>, u32)| {
        let mut envelopes = honest.clone();
        envelopes.iter_mut().zip(0..).for_each(|(envelope, n)| leak(envelope, n));
        told(&envelopes)
    };
    let quiet = told(&honest);
    let in_the_clear = leaking(&|e, n| e[78..82].copy_from_slice(&n.to_be_bytes()));
    assert_eq!(in_the_clear.constant, [0, 1, 78, 79, 80]);
    assert!((0..8).all(|bit| in_the_clear.correlated.contains(&(81, bit))));
    // as sealed with one key and one nonce for all
    let one_stream = leaking(&|e, n| e[78..82].copy_from_slice(&(n ^ 0x5eed_beef).to_be_bytes()));
    assert_eq!(one_stream.correlated, in_the_clear.correlated);
    let one_bit = leaking(&|e, n| e[40] = e[40] & 0xfe | (n >> 3 & 1) as u8);
    assert_eq!(one_bit.correlated, [(40, 3)]);
    let every_other_time = leaking(&|e, n| {
        if e[50] & 1 == 1 {
            e[200] = n as u8;
        }
    });
    assert_ne!(every_other_time, quiet);
}

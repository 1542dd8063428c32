//! Attack 2: the relay keeps everything that it saw of a run and tries all of a list of 2^16 codes
//! against it. No test that it can make tells the right one from the rest.
//!
//! The tests are those that have broken other pairings: digests and MACs of words or code, whole or
//! cut, anywhere in the traffic; shares that are a known multiple of the guessed generator; and
//! confirmation tags under keys that follow from guess and traffic alone. A test of the tests runs
//! them on traffic that does leak, in each of these ways, and there they find the one right code.

use std::collections::HashSet;

use crate::support::model::{self, lv};
use crate::support::{Party, SeededRng, context, run, words};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};

const LIST: usize = 1 << 16;
const RIGHT: usize = 48_611;
/// Windows of this many bytes are looked for; a chance hit has probability 2^-64 each.
const WINDOW: usize = 8;

fn guess(i: usize) -> String {
    let list = bip39::Language::English.word_list();
    format!("{}-velvet-{}", list[i % 2048], list[i / 2048])
}

/// What a relay holds.
struct Traffic {
    windows: HashSet<[u8; WINDOW]>,
    /// Whether any window begins with these two bytes: spares most of the look-ups.
    begins: Vec<bool>,
    m: [Vec<u8>; 4],
    shares: [RistrettoPoint; 2],
    ci: Vec<u8>,
    th: Vec<u8>,
}

impl Traffic {
    fn of(m: [Vec<u8>; 4]) -> Self {
        let windows: HashSet<[u8; WINDOW]> =
            m.iter().flat_map(|m| m.windows(WINDOW).map(|w| w.try_into().unwrap())).collect();
        let mut begins = vec![false; 1 << 16];
        for window in &windows {
            let [a, b, ..] = *window;
            begins[usize::from(u16::from_be_bytes([a, b]))] = true;
        }
        let point = |b: &[u8]| CompressedRistretto(b.try_into().unwrap()).decompress().unwrap();
        let shares = [point(&m[0][34..66]), point(&m[1][1..33])];
        let (ci, th) = (model::ci(), transcript_hash(&m));
        Self { windows, begins, m, shares, ci, th }
    }

    fn holds(&self, digest: &[u8]) -> bool {
        digest
            .chunks_exact(WINDOW)
            .any(|c| self.begins[usize::from(c[0]) << 8 | usize::from(c[1])] && self.windows.contains(c))
    }

    fn sid(&self) -> &[u8] {
        &self.m[0][2..34]
    }

    /// Whether any test at all is true of this guess.
    fn points_at(&self, guess: &str) -> bool {
        self.shows_digest(guess) || {
            let g = model::generator(guess.as_bytes(), &self.ci, self.sid());
            self.shows_multiple(guess, &g) || self.confirms(&g)
        }
    }

    fn shows_digest(&self, guess: &str) -> bool {
        let code = format!("4821-{guess}");
        [guess, &code].iter().any(|text| {
            let bytes = text.as_bytes();
            self.holds(bytes)
                || self.holds(&Sha256::digest(bytes))
                || self.holds(&Sha512::digest(bytes))
                || self.holds(&Sha256::digest([b"wire/pair/1", bytes].concat()))
                || self.holds(&Sha512::digest([lv(&self.ci), lv(bytes)].concat()))
                || [self.sid(), b"4821", &[7; 32]]
                    .iter()
                    .any(|public| self.holds(&mac(public, bytes)) || self.holds(&mac(bytes, public)))
        })
    }

    fn shows_multiple(&self, guess: &str, g: &RistrettoPoint) -> bool {
        let of = |bytes: &[u8]| Scalar::from_bytes_mod_order_wide(&Sha512::digest(bytes).into());
        let base = curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
        [*g, g * of(self.sid()), g * of(guess.as_bytes())]
            .into_iter()
            .any(|multiple| self.shares.iter().any(|y| *y == multiple || *y == multiple + base))
    }

    /// Whether the tag of M3 is made with keys from a K that needs no secret scalar. A broken KEM is
    /// granted: its secret is taken as zero, as in the leaky traffic below.
    fn confirms(&self, g: &RistrettoPoint) -> bool {
        let [ya, yb] = self.shares;
        [*g, ya - g, yb - g].iter().any(|k| {
            let k = k.compress().to_bytes();
            self.m[2][..64] == m3_tag(&self.th, &self.m[0], &self.m[1], &k)
        })
    }
}

fn transcript_hash(m: &[Vec<u8>; 4]) -> Vec<u8> {
    Sha512::digest([lv(&model::ci()), lv(&m[0][2..34]), lv(&m[0]), lv(&m[1])].concat()).to_vec()
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The tag of M3 for a given K and a KEM secret of zeros.
fn m3_tag(th: &[u8], m1: &[u8], m2: &[u8], k: &[u8; 32]) -> [u8; 64] {
    let fields = [b"CPaceRistretto255_ISK", &m1[2..34], k, &m1[34..66], &m1[66..], &m2[1..33], &m2[33..]];
    let isk = Sha512::digest(fields.map(lv).concat());
    let mut key = [0u8; 64];
    let prk = hkdf::Hkdf::<Sha512>::new(Some(th), &[isk.as_slice(), &[0; 32]].concat());
    prk.expand(b"wire/pair/1 confA", &mut key).unwrap();
    let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(&key).unwrap();
    mac.update(&[b"A", th].concat());
    mac.finalize().into_bytes().into()
}

fn honest() -> [Vec<u8>; 4] {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let secret = words(&format!("4821-{}", guess(RIGHT)));
    run(&secret, &context(), (&alice, &bob), rng).unwrap().wire
}

#[test]
fn no_code_of_the_list_stands_out() {
    let traffic = Traffic::of(honest());
    let found: Vec<_> = std::thread::scope(|scope| {
        let half = |range: std::ops::Range<usize>| {
            let traffic = &traffic;
            move || range.filter(|i| traffic.points_at(&guess(*i))).collect::<Vec<_>>()
        };
        let first = scope.spawn(half(0..LIST / 2));
        let second = half(LIST / 2..LIST)();
        [first.join().unwrap(), second].concat()
    });
    assert_eq!(found, Vec::<usize>::new());
}

/// The same tests on traffic that leaks: each kind of leak gives the right code away, and no other.
#[test]
fn traffic_that_leaks_is_found_out() {
    let secret = guess(RIGHT);
    let m = honest();
    let g = model::generator(secret.as_bytes(), &model::ci(), &m[0][2..34]);
    let with_share = |point: RistrettoPoint| {
        let mut m = m.clone();
        m[0][34..66].copy_from_slice(point.compress().as_bytes());
        m
    };
    let appended = |digest: &[u8]| {
        let mut m = m.clone();
        m[0].extend_from_slice(digest);
        m
    };
    let code = format!("4821-{secret}");
    let known_k = {
        let mut m = m.clone();
        let tag = m3_tag(&transcript_hash(&m), &m[0], &m[1], g.compress().as_bytes());
        m[2][..64].copy_from_slice(&tag);
        m
    };
    let leaks = [
        ("a cut digest of the words", appended(&Sha256::digest(&secret)[..8])),
        ("a digest of the code", appended(&Sha256::digest(&code))),
        ("a MAC keyed by the words", appended(&mac(secret.as_bytes(), b"4821"))),
        ("the generator as share", with_share(g)),
        ("a share with a guessable scalar", {
            let s = Scalar::from_bytes_mod_order_wide(&Sha512::digest(&m[0][2..34]).into());
            with_share(g * s)
        }),
        ("a tag under a key that follows from the words", known_k),
    ];
    for (name, m) in leaks {
        let traffic = Traffic::of(m);
        let near = (RIGHT - 40..RIGHT + 40).filter(|i| traffic.points_at(&guess(*i)));
        assert_eq!(near.collect::<Vec<_>>(), [RIGHT], "{name}");
    }
}

//! Our own CPace and ratchet, run with every secret marked, for a checker that follows the marks through each
//! instruction and reports a branch or an address that depends on one. The package `constant-time` at the top of the
//! repository runs this under Valgrind; the method is Adam Langley's `ctgrind` (2010).

use std::convert::Infallible;
use std::sync::OnceLock;

use rand_core::{CryptoRng, TryCryptoRng, TryRng};

use super::{NOW, SeededRng};
use crate::crypto::cpace::{self, Ephemeral};
use crate::crypto::dh::DhKeyPair;
use crate::envelope::DEFAULT_MAX;
use crate::session::{Lane, Session, SessionId, SessionKeys};

/// What follows secrets.
pub trait Checker: Sync {
    /// From here on these bytes are secret, and what is made from them.
    fn secret(&self, bytes: &mut [u8]);
    /// From here on these bytes are not.
    fn public(&self, bytes: &[u8]);
    /// Whether any of these bytes was made from a secret.
    fn is_secret(&self, bytes: &[u8]) -> bool;
}

static CHECKER: OnceLock<&'static dyn Checker> = OnceLock::new();

/// Everything that is declared public in the library from now on is told to this one.
pub fn check_with(checker: &'static dyn Checker) {
    let _ = CHECKER.set(checker);
}

pub(crate) fn tell(bytes: &[u8]) {
    if let Some(checker) = CHECKER.get() {
        checker.public(bytes);
    }
}

/// In memory, because a mark is on a place.
#[inline(never)]
pub(crate) fn told(outcome: bool) -> bool {
    let place = std::hint::black_box([u8::from(outcome)]);
    tell(&place);
    std::hint::black_box(place) == [1]
}

/// A run of CPace under one password: generator, share, agreement, session key, and a scalar that was stored.
#[expect(clippy::expect_used, reason = "an honest run")]
pub fn cpace(checker: &dyn Checker) {
    let mut prs = *b"quite ordinary words";
    checker.secret(&mut prs);
    let mut rng = Marked { checker, rng: SeededRng::new(1) };
    let (a, share_a) = Ephemeral::start(&prs, b"relay", b"sid", &mut rng);
    let (b, share_b) = Ephemeral::start(&prs, b"relay", b"sid", &mut rng);
    [&share_a, &share_b].into_iter().for_each(|share| checker.public(share));

    let a = Ephemeral::from_bytes(&a.to_bytes()).expect("its own bytes");
    let [ka, kb] = [a.agree(&share_b), b.agree(&share_a)].map(|k| k.expect("an honest share"));
    let [isk_a, isk_b] =
        [ka, kb].map(|k| cpace::isk(b"sid", &k, (&share_a, b"ad of a"), (&share_b, b"ad of b")));
    assert!(checker.is_secret(&*isk_a), "the mark was lost: this has shown nothing");
    checker.public(&*isk_a);
    checker.public(&*isk_b);
    assert_eq!(isk_a, isk_b);
}

/// A conversation: both begin, messages are skipped, late, damaged and from closed chains, and the state is stored.
#[expect(clippy::expect_used, reason = "an honest conversation")]
pub fn session(checker: &dyn Checker) {
    let mut rng = Marked { checker, rng: SeededRng::new(2) };
    let mut keys = [[1; 32], [2; 32], [3; 32]];
    keys.iter_mut().for_each(|key| checker.secret(key));
    let [rk0, hk_a, hk_b] = keys;
    let [dh_a, dh_b] = [(); 2].map(|()| DhKeyPair::generate(&mut rng));
    let (pub_a, pub_b) = (dh_a.public(), dh_b.public());
    // They went over in the offers.
    [&pub_a, &pub_b].into_iter().for_each(|key| checker.public(key.as_bytes()));
    let id = SessionId::from_bytes([4; 32]);
    let a = Session::initiator(id, SessionKeys::new(rk0, hk_a, hk_b), dh_a, pub_b, &mut rng);
    let b = Session::responder(id, SessionKeys::new(rk0, hk_a, hk_b), dh_b, pub_a);
    let (mut a, mut b) = (a.expect("initiator"), b.expect("responder"));

    for turn in 0..4 {
        let (from, to) = if turn % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let mut envelopes: Vec<_> = (0..3).map(|_| sealed(checker, from, &mut rng)).collect();
        let late = envelopes.remove(0);
        for envelope in envelopes {
            open(to, &envelope, &mut rng).expect("an honest envelope");
        }
        let mut damaged = late.clone();
        damaged[100] ^= 1;
        assert!(open(to, &damaged, &mut rng).is_err());
        let mut unknown = late.clone();
        unknown[40] ^= 1;
        assert!(open(to, &unknown, &mut rng).is_err());
        *to = stored(to);
        if turn > 1 {
            // It is of a chain that has ended by now, at the other side too.
            let crossing = sealed(checker, to, &mut rng);
            open(from, &crossing, &mut rng).expect("an answer");
        }
        open(to, &late, &mut rng).expect("late, and there");
        to.expire(NOW);
    }
    let state = a.to_bytes();
    assert!(checker.is_secret(state.as_ref()), "the mark was lost: this has shown nothing");
}

/// What must be reported: a branch on a secret. Without the report the check is worth nothing.
pub fn leaks(checker: &dyn Checker) -> u32 {
    let mut secret = [7; 32];
    checker.secret(&mut secret);
    if std::hint::black_box(secret)[0] == 7 { std::hint::black_box(1) } else { std::hint::black_box(2) }
}

#[expect(clippy::expect_used, reason = "there is room")]
fn sealed(checker: &dyn Checker, from: &mut Session, rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut payload = *b"what nobody else is to know";
    checker.secret(&mut payload);
    let envelope = from.seal(Lane::Ordinary, &payload, DEFAULT_MAX, rng).expect("room");
    assert!(checker.is_secret(&envelope), "the mark was lost: this has shown nothing");
    checker.public(&envelope);
    envelope
}

fn open(
    to: &mut Session,
    envelope: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(), crate::session::OpenError> {
    super::deliver(to, envelope, rng).map(drop)
}

fn stored(session: &Session) -> Session {
    super::copy(session)
}

/// Randomness is secret.
struct Marked<'a> {
    checker: &'a dyn Checker,
    rng: SeededRng,
}

impl TryRng for Marked<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.rng.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.rng.try_next_u64()
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.rng.try_fill_bytes(dst)?;
        self.checker.secret(dst);
        Ok(())
    }
}

impl TryCryptoRng for Marked<'_> {}

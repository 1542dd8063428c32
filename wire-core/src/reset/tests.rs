//! A reset from seeded generators, its bytes pinned; and what is refused.

use super::message::{ANSWER_LABEL, AnswerBody, REQUEST_LABEL, RequestBody, signed};
use super::*;
use crate::crypto::dh::DhPublic;
use crate::crypto::kdf::sha256;
use crate::encoding::cbor;
use crate::identity::{Identity, NextKey};
use crate::pairing::ResetKey;
use crate::record::RecordHash;
use crate::session::{Lane, SessionId};
use crate::testing::{NOW, SeededRng};
use data_encoding::HEXLOWER;

struct Pair {
    alice: Identity,
    alice_next: NextKey,
    bob: Identity,
    rng: SeededRng,
}

fn pair() -> Pair {
    let mut rng = SeededRng::new(9);
    let (alice, alice_next) = Identity::generate(&mut rng);
    let (bob, _) = Identity::generate(&mut rng);
    Pair { alice, alice_next, bob, rng }
}

fn standing() -> Standing {
    let hash = |n| Some(RecordHash::from_bytes([n; 32]));
    Standing { last: 5, head: hash(2), recv: 7, recv_head: hash(3) }
}

impl Pair {
    fn ask(&mut self) -> Requester {
        let old = Some(SessionId::from_bytes([1; 32]));
        Requester::new(&self.alice, None, self.bob.root(), NOW.as_millis(), old, standing(), &mut self.rng)
    }

    fn verify(&self, message: &[u8]) -> Result<Request, ResetError> {
        Request::verify(message, self.bob.root(), self.alice.statements())
    }

    fn answer(&mut self, request: &Request) -> (Vec<u8>, Agreed) {
        request.answer(&self.bob, Standing::default(), &mut self.rng).unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The values of PROTOCOL.md section 15.
#[test]
fn every_byte_that_crosses_is_pinned() {
    let mut w = pair();
    let asked = w.ask();
    let request = w.verify(asked.message()).unwrap();
    let (answer, b) = w.answer(&request);
    let a = asked.accept(&answer, w.bob.statements(), &mut w.rng).unwrap();
    let key = ResetKey::from_bytes([4; 32]);
    let roots = (w.alice.root(), w.bob.root());
    let sealed = seal(&key, roots, &Message::Request(asked.message().to_vec()), 65_536, &mut w.rng).unwrap();
    let seen = [
        hex(&sha256(&[asked.message()])[..16]),
        hex(&sha256(&[&answer])[..16]),
        hex(a.session.id().as_bytes()),
        a.words.own().to_string(),
        b.words.own().to_string(),
        hex(&sha256(&[&sealed])[..16]),
    ];
    assert_eq!(seen, PINNED);
    assert_eq!((asked.message().len(), answer.len(), sealed.len()), (1_711, 1_535, 2_048));
}

const PINNED: [&str; 6] = [
    "ca92cf2d56b8d3de9d298aa9a205a6c7",
    "15ad097fadf39ecb085ce380c7b79c27",
    "79ca02cb9b4439f77e32c226da7961f987e6677d0ae6aaac644164a0b5c6cf0a",
    "sponsor orient soup coast test document sauce wing",
    "since episode october blade slot pattern raise guitar",
    "69acea92c477057cde7504f1cbb262e2",
];

#[test]
fn both_sides_have_one_session_and_the_others_words() {
    let mut w = pair();
    let asked = Requester::from_bytes(&w.ask().to_bytes()).unwrap();
    let request = w.verify(asked.message()).unwrap();
    assert_eq!(
        (request.standing(), request.ctr(), request.is_rotation()),
        (standing(), NOW.as_millis(), false)
    );
    let (answer, mut b) = w.answer(&request);
    let mut a = asked.accept(&answer, w.bob.statements(), &mut w.rng).unwrap();
    assert_eq!(a.session.id(), b.session.id());
    // Both send first, at the same time.
    let from_a = a.session.seal(Lane::Ordinary, b"from a", 512, &mut w.rng).unwrap();
    let from_b = b.session.seal(Lane::Ordinary, b"from b", 512, &mut w.rng).unwrap();
    assert_eq!(*b.session.open(&from_a, NOW, &mut w.rng).unwrap().payload, *b"from a");
    assert_eq!(*a.session.open(&from_b, NOW, &mut w.rng).unwrap().payload, *b"from b");
    assert_ne!(*a.words.own(), *a.words.peer());
    assert_eq!(a.words.matches(&b.words.own()), Ok(true));
    assert_eq!(b.words.matches(&a.words.own()), Ok(true));
}

#[test]
fn words_that_differ_are_told_from_no_words() {
    let mut w = pair();
    let asked = w.ask();
    let request = w.verify(asked.message()).unwrap();
    let (_, b) = w.answer(&request);
    let words = b.words.peer();
    let swapped = words.split(' ').rev().collect::<Vec<_>>().join(" ");
    assert_eq!(b.words.matches(&swapped), Ok(false));
    assert_eq!(b.words.matches(&b.words.own()), Ok(false));
    let short = words.split(' ').map(|w| &w[..w.len().min(4)]).collect::<Vec<_>>().join("-").to_uppercase();
    assert_eq!(b.words.matches(&format!(" {short}\n")), Ok(true));
    for none in ["", "oyster", "qqqq", &format!("{} oyster", *words), &words[..words.rfind(' ').unwrap()]] {
        assert_eq!(b.words.matches(none), Err(ResetError::NoWords), "{none}");
    }
    let again = CheckWords::from_stored(&b.words.own(), &words).unwrap();
    assert_eq!((again.own(), again.peer()), (b.words.own(), words));
    assert_eq!(format!("{again:?}"), "CheckWords(..)");
}

#[test]
fn a_message_of_another_or_for_another_is_refused() {
    let mut w = pair();
    let (carol, _) = Identity::generate(&mut w.rng);
    let asked = w.ask();
    let to_carol = Request::verify(asked.message(), carol.root(), w.alice.statements());
    assert_eq!(to_carol.unwrap_err(), ResetError::NotForUs);
    let of_carol = Request::verify(asked.message(), w.bob.root(), carol.statements());
    assert_eq!(of_carol.unwrap_err(), ResetError::NotForUs);

    let request = w.verify(asked.message()).unwrap();
    let (answer, _) = w.answer(&request);
    let other = w.ask();
    let accept = |who: &Requester, answer: &[u8], pinned: &Identity| {
        who.accept(answer, pinned.statements(), &mut SeededRng::new(1)).map(|_| ())
    };
    assert_eq!(accept(&other, &answer, &w.bob), Err(ResetError::AnotherReset));
    assert_eq!(accept(&asked, &answer, &carol), Err(ResetError::Stale));
    let of_carol = request.answer(&carol, Standing::default(), &mut w.rng).unwrap().0;
    assert_eq!(accept(&asked, &of_carol, &carol), Err(ResetError::NotForUs));
    assert_eq!(accept(&asked, &answer, &w.bob), Ok(()));
    // One is never taken for the other.
    assert_eq!(w.verify(&answer).unwrap_err(), ResetError::Malformed);
    assert_eq!(accept(&asked, asked.message(), &w.alice), Err(ResetError::Malformed));
}

#[test]
fn any_flipped_bit_is_refused() {
    let mut w = pair();
    let asked = w.ask();
    let request = w.verify(asked.message()).unwrap();
    let (answer, _) = w.answer(&request);
    let flips = |len: usize| (0..len).map(|at| (at, 1u8 << (at % 8)));
    for (at, bit) in flips(asked.message().len()) {
        let mut message = asked.message().to_vec();
        message[at] ^= bit;
        assert!(w.verify(&message).is_err(), "byte {at}");
    }
    for (at, bit) in flips(answer.len()) {
        let mut message = answer.clone();
        message[at] ^= bit;
        assert!(asked.accept(&message, w.bob.statements(), &mut w.rng).is_err(), "byte {at}");
    }
    for message in [asked.message(), &answer] {
        for len in [0, 63, 64, message.len() - 1] {
            assert!(w.verify(&message[..len]).is_err());
        }
    }
}

#[test]
fn a_counter_is_taken_once_and_not_from_far_ahead() {
    let mut w = pair();
    let asked = w.ask();
    let request = w.verify(asked.message()).unwrap();
    let ctr = request.ctr();
    let at = |offset: i64| NOW.offset_millis(offset);
    assert!(request.is_timely(0, NOW) && request.is_timely(ctr - 1, at(1 << 40)));
    assert!(!request.is_timely(ctr, NOW) && !request.is_timely(ctr + 1, NOW));
    let day = 24 * 3_600_000;
    assert!(request.is_timely(0, at(-day)) && !request.is_timely(0, at(-day - 1)));
}

/// The key of a statement lies in the store once it is used; the one that signed the statement never does.
#[test]
fn only_the_key_that_signed_the_statement_makes_it_a_rotation() {
    let mut w = pair();
    let (rotated, after) = w.alice.rotate(&w.alice_next, &mut w.rng).unwrap();
    let old = w.alice.statements().clone();
    let bob = w.bob.root();
    let mut make = |identity: &Identity, by: Option<&NextKey>| {
        Requester::new(identity, by, bob, 1, None, Standing::default(), &mut w.rng).message().to_vec()
    };
    let by_owner = make(&rotated, Some(&w.alice_next));
    let by_thief = make(&rotated, None);
    let with_the_key_after = make(&rotated, Some(&after));
    let by_old_key = make(&w.alice, None);
    let is_rotation = |message: &[u8], pinned| Request::verify(message, bob, pinned).map(|r| r.is_rotation());
    assert_eq!(is_rotation(&by_owner, &old), Ok(true));
    assert_eq!(is_rotation(&by_thief, &old), Ok(false));
    assert_eq!(is_rotation(&with_the_key_after, &old), Err(ResetError::Crypto));
    // Who has heard of the rotation takes only what the new key signs, and nothing of the old one.
    assert_eq!(is_rotation(&by_owner, rotated.statements()), Err(ResetError::Crypto));
    assert_eq!(is_rotation(&by_thief, rotated.statements()), Ok(false));
    assert_eq!(is_rotation(&by_old_key, rotated.statements()), Err(ResetError::Stale));
    let taken = Request::verify(&by_owner, bob, &old).unwrap();
    let (_, agreed) = taken.answer(&w.bob, Standing::default(), &mut w.rng).unwrap();
    assert_eq!(agreed.statements, *rotated.statements());
}

#[test]
fn an_envelope_opens_for_these_two_in_this_direction_alone() {
    let mut w = pair();
    let (a, b) = (w.alice.root(), w.bob.root());
    let key = ResetKey::from_bytes([4; 32]);
    let message = Message::Answer(vec![7; 600]);
    let envelope = seal(&key, (a, b), &message, 65_536, &mut w.rng).unwrap();
    assert_eq!(open(&key, (a, b), &envelope), Some(Ok(message.clone())));
    assert_eq!(open(&key, (b, a), &envelope), Some(Err(ResetError::Crypto)));
    assert_eq!(open(&ResetKey::from_bytes([5; 32]), (a, b), &envelope), None);
    assert_ne!(seal(&key, (a, b), &message, 65_536, &mut w.rng).unwrap(), envelope);
    assert_eq!(seal(&key, (a, b), &message, 512, &mut w.rng), None);
    for at in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[at] ^= 1;
        assert!(!matches!(open(&key, (a, b), &flipped), Some(Ok(_))), "byte {at}");
    }
}

/// The peer itself has signed them: what waits for the owner can be answered.
#[test]
fn keys_that_are_none_are_refused_on_either_side() {
    let mut w = pair();
    let asked = w.ask();
    let (statements, ek) = (w.alice.statements().to_bytes().to_vec(), [1; 1184]);
    let body = |dh: [u8; 32], ek: &[u8]| {
        cbor::to_vec(&RequestBody {
            version: 1,
            from: w.alice.root(),
            to: w.bob.root(),
            old: None,
            ctr: 1,
            dh: DhPublic::from_bytes(dh),
            ek,
            last: 0,
            head: None,
            recv: 0,
            recv_head: None,
            statements: &statements,
        })
    };
    let verify = |dh, ek: &[u8]| w.verify(&signed(w.alice.key(), REQUEST_LABEL, body(dh, ek))).map(|_| ());
    assert_eq!(verify([9; 32], &ek), Ok(()));
    assert_eq!(verify([0; 32], &ek), Err(ResetError::Crypto));
    assert_eq!(verify([9; 32], &[0xff; 1184]), Err(ResetError::Crypto));
    assert_eq!(verify([9; 32], &ek[1..]), Err(ResetError::Malformed));

    let answer = |dh: [u8; 32], ct: &[u8]| {
        let body = cbor::to_vec(&AnswerBody {
            version: 1,
            from: w.bob.root(),
            to: w.alice.root(),
            answers: ResetHash::of(asked.message()),
            dh: DhPublic::from_bytes(dh),
            ct,
            last: 0,
            head: None,
            recv: 0,
            recv_head: None,
            statements: w.bob.statements().to_bytes(),
        });
        let answer = signed(w.bob.key(), ANSWER_LABEL, body);
        asked.accept(&answer, w.bob.statements(), &mut SeededRng::new(1)).map(|_| ())
    };
    assert_eq!(answer([9; 32], &[1; 1088]), Ok(()));
    assert_eq!(answer([0; 32], &[1; 1088]), Err(ResetError::Crypto));
    assert_eq!(answer([9; 32], &[1; 1087]), Err(ResetError::Malformed));
}

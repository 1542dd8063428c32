//! After a pairing either side may send first, and both at once.

use crate::support::{CODE, Party, SeededRng, context, invite, run, words};
use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, Session};
use wire_core::time::Timestamp;

#[test]
fn by_code_and_by_invite() {
    let rng = &mut SeededRng::new(1);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    for (secret, context) in [(words(CODE), context()), invite()] {
        let mut r = run(&secret, &context, (&alice, &bob), rng).unwrap();
        assert_eq!(r.a.session.id(), r.b.session.id());
        let (a, b) = (&mut r.a.session, &mut r.b.session);
        let seal = |s: &mut Session, text: &[u8], rng: &mut SeededRng| {
            s.seal(Lane::Ordinary, text, DEFAULT_MAX, rng).unwrap()
        };
        let read = |s: &mut Session, envelope: &[u8], rng: &mut SeededRng| {
            let opened = s.open(envelope, Timestamp::from_millis(1), rng).unwrap();
            s.commit(opened.step).unwrap();
            opened.payload.to_vec()
        };
        let (from_a, from_b) = (seal(a, b"ferry at nine", rng), seal(b, b"or at ten?", rng));
        assert_eq!(read(b, &from_a, rng), b"ferry at nine");
        assert_eq!(read(a, &from_b, rng), b"or at ten?");
        let answer = seal(b, b"nine is fine", rng);
        assert_eq!(read(a, &answer, rng), b"nine is fine");
    }
}

#[test]
fn two_pairings_have_nothing_in_common() {
    let rng = &mut SeededRng::new(2);
    let (alice, bob) = (Party::new("alice", rng), Party::new("bob", rng));
    let first = run(&words(CODE), &context(), (&alice, &bob), rng).unwrap();
    let mut second = run(&words(CODE), &context(), (&alice, &bob), rng).unwrap();
    assert_ne!(first.a.session.id(), second.a.session.id());
    assert_ne!(first.a.sas, second.a.sas);
    let mut a = first.a.session;
    let envelope = a.seal(Lane::Ordinary, b"x", DEFAULT_MAX, rng).unwrap();
    assert!(second.b.session.open(&envelope, Timestamp::from_millis(1), rng).is_err());
    assert!(second.b.session.seal(Lane::Ordinary, b"x", DEFAULT_MAX, rng).is_ok());
}

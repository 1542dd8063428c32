//! Attack test 18: both sides send first; the relay reorders, loses, repeats and damages, and both
//! agents restart from their stores at any moment. What should open does, once; nothing else does.

use proptest::prelude::*;
use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::testing::{NOW, SeededRng, copy, sessions};

/// Closed chains that a receiver keeps.
const KEPT: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Event {
    Send { from_a: bool, len: u16 },
    Deliver { to_a: bool, pick: prop::sample::Index },
    Damage { to_a: bool, pick: prop::sample::Index, bit: prop::sample::Index },
    Restart { a: bool },
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (any::<bool>(), 0..1200u16).prop_map(|(from_a, len)| Event::Send { from_a, len }),
        6 => (any::<bool>(), index()).prop_map(|(to_a, pick)| Event::Deliver { to_a, pick }),
        2 => (any::<bool>(), index(), index())
            .prop_map(|(to_a, pick, bit)| Event::Damage { to_a, pick, bit }),
        1 => any::<bool>().prop_map(|a| Event::Restart { a }),
    ]
}

struct Sent {
    envelope: Vec<u8>,
    payload: Vec<u8>,
    /// The sender's chain that it is in.
    chain: usize,
    opened: bool,
}

struct Side {
    session: Session,
    chain: usize,
    /// The newest chain of the peer that has been seen.
    peer_chain: usize,
    sent: Vec<Sent>,
}

impl Side {
    fn new(session: Session) -> Self {
        Self { session, chain: 0, peer_chain: 0, sent: Vec::new() }
    }
}

fn deliver(to: &mut Side, sent: &mut Sent, rng: &mut SeededRng) {
    let before = to.session.to_bytes();
    let result = to.session.open(&sent.envelope, NOW, rng);
    assert_eq!(to.session.to_bytes(), before, "opening changed the session");
    if to.peer_chain.saturating_sub(sent.chain) > KEPT {
        assert_eq!(result.unwrap_err(), OpenError::Unopenable);
    } else if sent.opened {
        assert_eq!(result.unwrap_err(), OpenError::Replayed);
    } else {
        let opened = result.unwrap();
        assert_eq!(*opened.payload, sent.payload);
        to.chain += usize::from(opened.step.turns());
        to.session.commit(opened.step).unwrap();
        to.peer_chain = to.peer_chain.max(sent.chain);
        sent.opened = true;
    }
}

fn damage(to: &Side, sent: &Sent, bit: usize, rng: &mut SeededRng) {
    let mut bad = sent.envelope.clone();
    bad[bit / 8] ^= 1 << (bit % 8);
    let error = to.session.open(&bad, NOW, rng).unwrap_err();
    assert_ne!(error, OpenError::CloneDetected, "a relay can raise the alarm");
    assert_ne!(error, OpenError::Replayed, "a damaged copy passes for the original");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_should_open_opens_once(seed: u64, events in prop::collection::vec(event(), 1..240)) {
        let mut rng = SeededRng::new(seed);
        let (a, b) = sessions(seed);
        let (mut a, mut b) = (Side::new(a), Side::new(b));
        for (i, event) in events.into_iter().enumerate() {
            match event {
                Event::Send { from_a, len } => {
                    let side = if from_a { &mut a } else { &mut b };
                    let payload = [&i.to_be_bytes()[..], &vec![i as u8; usize::from(len)]].concat();
                    let envelope = side.session.seal(Lane::Ordinary, &payload, DEFAULT_MAX, &mut rng).unwrap();
                    side.sent.push(Sent { envelope, payload, chain: side.chain, opened: false });
                }
                Event::Deliver { to_a, pick } => {
                    let (to, from) = if to_a { (&mut a, &mut b) } else { (&mut b, &mut a) };
                    if !from.sent.is_empty() {
                        let i = pick.index(from.sent.len());
                        deliver(to, &mut from.sent[i], &mut rng);
                    }
                }
                Event::Damage { to_a, pick, bit } => {
                    let (to, from) = if to_a { (&a, &b) } else { (&b, &a) };
                    if !from.sent.is_empty() {
                        let sent = &from.sent[pick.index(from.sent.len())];
                        damage(to, sent, bit.index(sent.envelope.len() * 8), &mut rng);
                    }
                }
                Event::Restart { a: true } => a.session = copy(&a.session),
                Event::Restart { a: false } => b.session = copy(&b.session),
            }
        }
        // and then the relay delivers all that is left
        for i in 0..a.sent.len() {
            deliver(&mut b, &mut a.sent[i], &mut rng);
        }
        for i in 0..b.sent.len() {
            deliver(&mut a, &mut b.sent[i], &mut rng);
        }
    }
}

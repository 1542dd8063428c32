//! Attack test 26: at one moment the states of both sides are stolen. What was sent before stays
//! closed to the thief; what is sent after a round trip is closed again.

use wire_core::envelope::DEFAULT_MAX;
use wire_core::session::{Lane, Session};
use wire_core::testing::{NOW, SeededRng, copy, deliver, sessions};

/// Holds copies of both sides and follows the conversation with them as far as it can.
struct Thief {
    copies: [Session; 2],
    rng: SeededRng,
}

impl Thief {
    fn reads(&mut self, envelope: &[u8]) -> bool {
        self.copies.iter_mut().any(|copy| deliver(copy, envelope, &mut self.rng).is_ok())
    }
}

struct Pair {
    alice: Session,
    bob: Session,
    rng: SeededRng,
}

impl Pair {
    fn a_to_b(&mut self) -> Vec<u8> {
        let sealed = self.alice.seal(Lane::Ordinary, b"there", DEFAULT_MAX, &mut self.rng).unwrap();
        deliver(&mut self.bob, &sealed, &mut self.rng).unwrap();
        sealed
    }

    fn b_to_a(&mut self) -> Vec<u8> {
        let sealed = self.bob.seal(Lane::Ordinary, b"back", DEFAULT_MAX, &mut self.rng).unwrap();
        deliver(&mut self.alice, &sealed, &mut self.rng).unwrap();
        sealed
    }
}

#[test]
fn the_past_stays_closed_and_the_future_closes_again() {
    let (alice, bob) = sessions(26);
    let mut pair = Pair { alice, bob, rng: SeededRng::new(1) };
    let mut past = Vec::new();
    for _ in 0..3 {
        past.extend([pair.a_to_b(), pair.a_to_b(), pair.b_to_a(), pair.b_to_a()]);
    }

    let stolen = [copy(&pair.alice), copy(&pair.bob)];
    let mut thief = Thief { copies: stolen, rng: SeededRng::new(666) };
    for envelope in &past {
        assert!(!thief.reads(envelope), "the past opens");
    }

    // What the stolen keys reach: Alice's chain, and the one that Bob starts from keys stolen too.
    let (there, back) = (pair.a_to_b(), pair.b_to_a());
    assert!(thief.reads(&there), "a theft that shows nothing tests nothing");
    thief.reads(&back);

    // Bob's key was made after the theft, and so is the one by which Alice answers it.
    for _ in 0..3 {
        for envelope in [pair.a_to_b(), pair.a_to_b(), pair.b_to_a(), pair.b_to_a()] {
            assert!(!thief.reads(&envelope), "the future stays open");
        }
    }
}

#[test]
fn a_skipped_key_in_the_stolen_state_opens_that_message_alone() {
    let mut rng = SeededRng::new(2);
    let (mut alice, mut bob) = sessions(26);
    let [one, missing, three] =
        [1u8, 2, 3].map(|i| alice.seal(Lane::Ordinary, &[i], DEFAULT_MAX, &mut rng).unwrap());
    deliver(&mut bob, &one, &mut rng).unwrap();
    deliver(&mut bob, &three, &mut rng).unwrap();
    let stolen = copy(&bob);
    assert!(stolen.open(&one, NOW, &mut rng).is_err());
    assert!(stolen.open(&missing, NOW, &mut rng).is_ok());
    assert!(stolen.open(&three, NOW, &mut rng).is_err());
    // once it has come, its key is in no state any more
    deliver(&mut bob, &missing, &mut rng).unwrap();
    assert!(copy(&bob).open(&missing, NOW, &mut rng).is_err());
}

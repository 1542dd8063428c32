//! Sessions over random schedules: what one seals, the other opens, once, in any order, whatever is lost.

use rand_core::Rng as _;
use serde_json::json;
use wire_core::envelope::DEFAULT_MAX;
use wire_core::pairing::Role;
use wire_core::session::{Lane, OpenError, Session};
use wire_core::time::Timestamp;

use crate::one_pairs_with_the_other::pair;
use crate::python::{Python, bytes, hex};
use crate::support::{Party, SeededRng};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const STEPS: usize = 300;

/// Envelopes on their way to one side, and what is in them.
type Way = Vec<(Vec<u8>, Vec<u8>)>;

struct Play<'p> {
    python: &'p Python,
    rust: Session,
    to_python: Way,
    to_rust: Way,
    done: [usize; 2],
}

impl Play<'_> {
    fn step(&mut self, rng: &mut SeededRng) {
        let payload: Vec<u8> = (0..rng.next_u32() % 700).map(|n| n as u8).collect();
        match rng.next_u32() % 8 {
            0 | 1 => {
                let sealed = self.rust.seal(Lane::Ordinary, &payload, DEFAULT_MAX, rng).unwrap();
                self.to_python.push((sealed, payload));
            }
            2 | 3 => {
                let sealed =
                    self.python.ask(json!({ "op": "seal", "session": "s", "payload": hex(&payload) }));
                self.to_rust.push((bytes(&sealed["envelope"]), payload));
            }
            4 | 5 if !self.to_python.is_empty() => {
                let at = rng.next_u32() as usize % self.to_python.len();
                let (envelope, payload) = self.to_python[at].clone();
                let open = |envelope: &[u8]| json!({ "op": "open", "session": "s", "envelope": hex(envelope), "now": NOW.as_millis() });
                match rng.next_u32() % 4 {
                    // Lost.
                    0 => drop(self.to_python.swap_remove(at)),
                    // Altered on the way, and then as it was.
                    1 => {
                        let mut bad = envelope;
                        let flip = rng.next_u32() as usize % bad.len();
                        bad[flip] ^= 1 << (rng.next_u32() % 8);
                        self.python.refuses(open(&bad));
                    }
                    _ => {
                        self.to_python.swap_remove(at);
                        assert_eq!(self.python.ask(open(&envelope))["payload"], hex(&payload));
                        assert_eq!(self.python.refuses(open(&envelope)), "replay");
                        self.done[0] += 1;
                    }
                }
            }
            _ if !self.to_rust.is_empty() => {
                let at = rng.next_u32() as usize % self.to_rust.len();
                let (envelope, payload) = self.to_rust[at].clone();
                match rng.next_u32() % 4 {
                    0 => drop(self.to_rust.swap_remove(at)),
                    1 => {
                        let mut bad = envelope;
                        let flip = rng.next_u32() as usize % bad.len();
                        bad[flip] ^= 1 << (rng.next_u32() % 8);
                        assert!(self.rust.open(&bad, NOW, rng).is_err());
                    }
                    _ => {
                        self.to_rust.swap_remove(at);
                        let opened = self.rust.open(&envelope, NOW, rng).unwrap();
                        assert_eq!(opened.payload.to_vec(), payload);
                        self.rust.commit(opened.step).unwrap();
                        let again = self.rust.open(&envelope, NOW, rng).map(drop);
                        assert_eq!(again, Err(OpenError::Replayed));
                        self.done[1] += 1;
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn over_random_schedules_in_both_directions() {
    let Some(python) = Python::start() else { return };
    for seed in 0..8 {
        let rng = &mut SeededRng::new(100 + seed);
        let role = if seed % 2 == 0 { Role::Initiator } else { Role::Responder };
        let party = Party::new("rust", rng);
        let (ours, _) = pair(&python, &party, role, rng);
        python.ask(json!({ "op": "session_from_pairing", "session": "s", "pair": "pair" }));
        let mut play = Play {
            python: &python,
            rust: ours.session,
            to_python: Vec::new(),
            to_rust: Vec::new(),
            done: [0, 0],
        };
        for _ in 0..STEPS {
            play.step(rng);
        }
        assert!(play.done.iter().all(|done| *done > 20), "seed {seed}: {:?}", play.done);
    }
}

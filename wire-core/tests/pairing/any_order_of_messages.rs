//! Trust comes only from a completed pairing: whatever the order in which the messages of two runs, and
//! of an old one, reach the four parties, nobody ends with anyone but its own partner.

use std::cell::Cell;

use crate::support::{CODE, OTHER_CODE, Party, SeededRng, context, run, words};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wire_core::pairing::{AwaitingConfirmation, Established, Initiator, Responder};

enum State {
    /// B before M1.
    Idle,
    A(Box<Initiator>),
    Awaiting(Box<AwaitingConfirmation>),
    B(Box<Responder>),
    Done(Box<Established>),
    Dead,
}

struct Agent {
    party: Party,
    code: &'static str,
    state: State,
}

impl Agent {
    /// Hands over whatever came, as the next message that this side waits for; gives its answer.
    fn receive(&mut self, message: &[u8], rng: &mut SeededRng) -> Option<Vec<u8>> {
        let offer = self.party.offer();
        let (state, answer) = match std::mem::replace(&mut self.state, State::Dead) {
            State::Idle => {
                let (b, m2) = Responder::respond(&words(self.code), context(), message, rng).ok()?;
                (State::B(b.into()), Some(m2))
            }
            State::A(a) => {
                let (a, m3) = a.receive_m2(message).ok()?.offer(offer, rng).ok()?;
                (State::Awaiting(a.into()), Some(m3))
            }
            State::B(b) => {
                let verified = b.receive_m3(message, self.party.identity.root()).ok()?;
                let (done, m4) = verified.confirm(offer, rng).ok()?;
                (State::Done(done.into()), Some(m4))
            }
            State::Awaiting(a) => (State::Done(a.receive_m4(message, rng).ok()?.into()), None),
            done @ (State::Done(_) | State::Dead) => (done, None),
        };
        self.state = state;
        answer
    }

    fn done(&self) -> Option<&Established> {
        if let State::Done(e) = &self.state { Some(e) } else { None }
    }
}

/// Who gets something, and what: the newest message of its partner, or any that was ever seen.
#[derive(Clone, Debug)]
enum Delivery {
    FromPartner(usize),
    Any(usize, prop::sample::Index),
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let any = (0..4usize, any::<prop::sample::Index>()).prop_map(|(to, i)| Delivery::Any(to, i));
    let honest = (0..4usize).prop_map(Delivery::FromPartner);
    prop::collection::vec(prop_oneof![12 => honest, 1 => any], 0..40)
}

const PARTNER: [usize; 4] = [1, 0, 3, 2];

#[test]
fn only_partners_pair() {
    let (finished, cut_short) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 250, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(any::<u64>(), deliveries()), |(seed, schedule)| {
        let rng = &mut SeededRng::new(seed);
        // The two runs meet at one number of one relay and differ in one word.
        let mut agents = [("alice", CODE), ("bob", CODE), ("carol", OTHER_CODE), ("dave", OTHER_CODE)]
            .map(|(name, code)| Agent { party: Party::new(name, rng), code, state: State::Idle });
        let old = run(&words(CODE), &context(), (&agents[0].party, &agents[1].party), rng).unwrap();
        let mut seen: Vec<Vec<u8>> = old.wire.to_vec();
        let mut newest: [Option<Vec<u8>>; 4] = Default::default();
        for a in [0, 2] {
            let (state, m1) = Initiator::start(&words(agents[a].code), context(), rng);
            agents[a].state = State::A(state.into());
            seen.push(m1.clone());
            newest[a] = Some(m1);
        }
        for delivery in schedule {
            let (to, message) = match delivery {
                Delivery::FromPartner(to) => (to, newest[PARTNER[to]].clone()),
                Delivery::Any(to, index) => (to, Some(index.get(&seen).clone())),
            };
            let Some(message) = message else { continue };
            if let Some(answer) = agents[to].receive(&message, rng) {
                seen.push(answer.clone());
                newest[to] = Some(answer);
            }
        }
        for (i, agent) in agents.iter().enumerate() {
            let partner = &agents[PARTNER[i]];
            if let Some(done) = agent.done() {
                finished.set(finished.get() + 1);
                prop_assert_eq!(done.peer.root(), partner.party.identity.root());
                prop_assert_ne!(done.session.id(), old.a.session.id());
                if let Some(other) = partner.done() {
                    prop_assert_eq!(done.session.id(), other.session.id());
                    prop_assert_eq!(done.sas.to_string(), other.sas.to_string());
                }
            } else {
                cut_short.set(cut_short.get() + 1);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    // The property is about both kinds.
    assert!(finished.get() > 50, "only {} sides finished", finished.get());
    assert!(cut_short.get() > 50, "only {} sides did not finish", cut_short.get());
}

//! Attack 5, second half: one agent enters the code that it made.

use crate::support::{CODE, Party, SeededRng, context, run, words};
use wire_core::pairing::PairingError;

#[test]
fn an_agent_does_not_pair_with_itself() {
    let rng = &mut SeededRng::new(1);
    let alice = Party::new("alice", rng);
    // The same identity with another mailbox, as a second process of one agent would have.
    let mut again = Party::new("alice again", rng);
    again.identity = alice.identity.clone();
    let result = run(&words(CODE), &context(), (&alice, &again), rng);
    assert_eq!(result.err(), Some(PairingError::SelfPairing));
}

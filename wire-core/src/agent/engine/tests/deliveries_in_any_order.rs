use proptest::prelude::*;

use super::harness::{Wish, World};
use crate::agent::engine::Stage;

/// What a hostile relay or a hostile peer can do next.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// Deliver one of what was ever posted, to whichever side.
    Deliver { to_bob: bool, from_bob: bool, which: usize },
    /// Deliver it damaged.
    Damage { to_bob: bool, which: usize, bit: usize },
    /// Post what there is, and send something if that is allowed.
    Post { bob: bool },
    /// Let time pass and do what it brings.
    Wait { minutes: u64 },
    /// Alice's owner says that the words are the same.
    Confirm,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (any::<bool>(), any::<bool>(), 0..64usize)
            .prop_map(|(to_bob, from_bob, which)| Move::Deliver { to_bob, from_bob, which }),
        1 => (any::<bool>(), 0..64usize, 0..4096usize)
            .prop_map(|(to_bob, which, bit)| Move::Damage { to_bob, which, bit }),
        4 => any::<bool>().prop_map(|bob| Move::Post { bob }),
        1 => (0..300u64).prop_map(|minutes| Move::Wait { minutes }),
        1 => Just(Move::Confirm),
    ];
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// No order of deliveries makes a side believe that it is paired before the other's HELLO of this
    /// session was verified, none makes it believe anything twice, and none freezes honest peers.
    #[test]
    fn create_no_trust(verify: bool, moves in moves()) {
        let w = World::new();
        w.pair(Wish { verify, ..Wish::default() }, Wish::default()).unwrap();
        let mut posted: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
        let mut said: [Vec<String>; 2] = [Vec::new(), Vec::new()];
        let mut heard: [Vec<String>; 2] = [Vec::new(), Vec::new()];
        let mut confirmed = false;
        for step in moves {
            match step {
                Move::Deliver { to_bob, from_bob, which } => {
                    let from = &posted[usize::from(from_bob)];
                    if !from.is_empty() {
                        let envelope = from[which % from.len()].clone();
                        let to = if to_bob { &w.bob } else { &w.alice };
                        let _ = to.try_take(&[envelope]);
                    }
                }
                Move::Damage { to_bob, which, bit } => {
                    let from = &posted[usize::from(!to_bob)];
                    if !from.is_empty() {
                        let mut envelope = from[which % from.len()].clone();
                        let at = bit % (envelope.len() * 8);
                        envelope[at / 8] ^= 1 << (at % 8);
                        let to = if to_bob { &w.bob } else { &w.alice };
                        let _ = to.try_take(&[envelope]);
                    }
                }
                Move::Post { bob } => {
                    let side = if bob { &w.bob } else { &w.alice };
                    let text = format!("{bob} {}", said[usize::from(bob)].len());
                    let allowed = side.send(&text).is_ok();
                    prop_assert_eq!(allowed, side.stage() == Stage::Paired);
                    if allowed {
                        said[usize::from(bob)].push(text);
                    }
                    posted[usize::from(bob)].extend(side.post());
                }
                Move::Wait { minutes } => {
                    w.wait(minutes * 60_000);
                    w.alice.tick();
                    w.bob.tick();
                }
                Move::Confirm => {
                    confirmed = w.alice.write(|b| b.confirm_sas(w.alice.key())).is_ok();
                }
            }
            for (i, side) in [&w.alice, &w.bob].into_iter().enumerate() {
                heard[i].extend(side.drain());
                let hello: u64 = side.value(
                    "SELECT count(*) FROM inbox WHERE seq = 1 AND kind = 'hello' AND state = 3",
                );
                let stage = side.stage();
                prop_assert_ne!(stage, Stage::Frozen);
                if stage == Stage::Paired {
                    prop_assert_eq!(hello, 1);
                    prop_assert!(i == 1 || !verify || confirmed);
                }
            }
        }
        // What was heard is what was said, from the start, in order, nothing twice.
        prop_assert!(said[0].starts_with(&heard[1]), "{:?} {:?}", said[0], heard[1]);
        prop_assert!(said[1].starts_with(&heard[0]), "{:?} {:?}", said[1], heard[0]);
    }
}

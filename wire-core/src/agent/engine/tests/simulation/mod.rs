//! Two engines over a hostile relay, under a virtual clock: everything that is left to chance comes from a
//! seed.
//!
//! 1. [`schedule`] draws how hostile the relay is, how often agents die and what comes next.
//! 2. [`world`] lets two [`agent`]s send, post, read, process, die and wait; [`relay`] lies between them.
//! 3. [`healing`]: the relay is honest, and time goes on until everything has arrived.
//! 4. [`model`] knows what should have arrived, [`invariants`] what holds after each step.
//!
//! `WIRE_SIM_SEED=123` runs one seed and shows what it did; `WIRE_SIM_SEEDS=100000` runs so many.

#![expect(clippy::disallowed_methods, reason = "the seeds come from the environment")]

mod agent;
mod healing;
mod invariants;
mod model;
mod relay;
mod sabotage;
mod schedule;
mod world;

use self::schedule::Mischief;
use self::world::{Counts, World};

/// Seeds of an ordinary run: 50 s of two cores where nothing is optimised.
const SEEDS: u64 = 2_000;

#[test]
fn whatever_the_relay_does_everything_arrives_once_and_in_order() {
    if let Some(seed) = number("WIRE_SIM_SEED") {
        let mut world = World::new(seed);
        let outcome = run(&mut world);
        world.trace.iter().for_each(|line| println!("{line}"));
        outcome.unwrap_or_else(|what| fail(seed, &what));
        return;
    }
    run_all(0..seeds() / 2);
}

/// The other half, beside that one.
#[test]
fn and_so_it_does_in_other_worlds() {
    if number("WIRE_SIM_SEED").is_none() {
        run_all(seeds() / 2..seeds());
    }
}

fn seeds() -> u64 {
    number("WIRE_SIM_SEEDS").unwrap_or(SEEDS)
}

fn run_all(seeds: std::ops::Range<u64>) {
    let mut all = Counts::new();
    for seed in seeds.clone() {
        let mut world = World::new(seed);
        run(&mut world).unwrap_or_else(|what| fail(seed, &what));
        for (what, count) in world.counts {
            let sum = all.entry(what.clone()).or_default();
            *sum = if what.ends_with("at most") { count.max(*sum) } else { *sum + count };
        }
    }
    println!("seeds {seeds:?}: {all:?}");
    if seeds.end - seeds.start >= SEEDS / 2 {
        let ends = [
            "processed",
            "refused",
            "expired",
            "poison",
            "crashes",
            "power cuts",
            "rotations",
            "rejected",
            "received in time",
        ];
        let reached = Mischief::ALL.iter().map(|what| format!("{what:?}"));
        for what in reached.chain(ends.map(str::to_owned)) {
            assert!(all.get(&what).is_some_and(|count| *count > 20), "it hardly comes to this: {what}");
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_choices_and_they_have_the_same_outcome() {
    for seed in 0..15 {
        let [one, other] = [(); 2].map(|()| {
            let mut world = World::new(seed);
            run(&mut world).unwrap_or_else(|what| fail(seed, &what));
            world.trace
        });
        assert_eq!(one, other, "seed {seed}");
    }
}

/// From the first step to the last check.
fn run(world: &mut World) -> Result<(), String> {
    world.suffer()?;
    run_on(world)
}

/// From when the relay heals.
fn run_on(world: &mut World) -> Result<(), String> {
    world.check()?;
    world.heal()?;
    world.check_end()
}

fn fail(seed: u64, what: &str) -> ! {
    panic!(
        "{what}\nto see it again: WIRE_SIM_SEED={seed} cargo nextest run -p wire-core --all-features \
         -E 'test(simulation)' --no-capture"
    )
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

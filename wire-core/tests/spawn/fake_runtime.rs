//! The runtime that is made up keeps the rules of the trait, so that what is tested with it can be true.

use std::time::Duration;

use wire_core::spawn::fake::{self, Fake, Script};
use wire_core::spawn::{
    Command, Enforce, ExecError, ExecEvent, ExitReason, Lifetime, OwnerId, OwnerSecret, Relaxation, Resource,
    Runtime, SpawnError, SpawnSpec, State, StdioPlan, ValidSpec,
};

const BOTH: StdioPlan = StdioPlan { stdin: true, output: true };

fn spec(name: &str) -> ValidSpec {
    fake::valid(SpawnSpec::new("debian:12").name(name).cmd(["/bin/job"]))
}

#[tokio::test]
async fn the_same_spec_is_the_same_container_and_another_is_refused() {
    let runtime = Fake::new([]);
    let id = runtime.create(&spec("one")).await.expect("made");
    assert_eq!(runtime.create(&spec("one")).await.expect("found"), id);
    let other = fake::valid(SpawnSpec::new("debian:12").name("one").cmd(["/bin/other"]));
    let refused = runtime.create(&other).await;
    assert!(matches!(refused, Err(SpawnError::SpecMismatch { existing }) if existing == id));
    let second = runtime.create(&spec("two")).await.expect("made");
    assert_ne!(second, id);
    let owner = OwnerSecret::from_bytes([1; 32]).owner();
    assert_eq!(runtime.list(owner).await.expect("a list").len(), 2);
    assert_eq!(runtime.list(OwnerId::from_bytes([0; 16])).await.expect("a list"), []);
}

#[tokio::test]
async fn a_container_starts_at_most_once() {
    let runtime = Fake::new([Script::printing("").staying()]);
    let id = runtime.create(&spec("one")).await.expect("made");
    runtime.start(&id, BOTH).await.expect("started");
    let again = runtime.start(&id, BOTH).await.map(|_| ()).expect_err("started before");
    assert!(again.to_string().contains("started before"));
    runtime.stop(&id, Duration::ZERO).await.expect("stopped");
    assert!(runtime.start(&id, BOTH).await.is_err());
}

#[tokio::test]
async fn whoever_waits_hears_of_the_end() {
    let runtime = Fake::new([Script::printing("hello").staying()]);
    let id = runtime.create(&spec("one")).await.expect("made");
    let mut main = runtime.start(&id, BOTH).await.expect("started").0.expect("its streams");
    assert!(matches!(main.next().await, Some(ExecEvent::Started { .. })));
    assert!(matches!(main.next().await, Some(ExecEvent::Out { bytes, .. }) if bytes == b"hello"));
    let (exit, end, stopped) =
        tokio::join!(runtime.wait(&id), main.next(), runtime.stop(&id, Duration::ZERO));
    let exit = exit.expect("an end");
    assert_eq!((exit.reason, exit.signal), (ExitReason::Stopped, Some(15)));
    assert_eq!(stopped.expect("stopped"), exit);
    assert!(matches!(end, Some(ExecEvent::Ended { outcome, .. }) if outcome.exit_code() == 143));
    assert!(main.next().await.is_none());
    let status = runtime.inspect(&id).await.expect("seen").expect("there");
    assert_eq!((status.state, status.exit), (State::Exited, Some(exit)));
}

#[tokio::test]
async fn a_program_of_a_container_that_goes_is_told_so() {
    let runtime = Fake::new([Script::printing("").staying(), Script::printing("").staying()]);
    let id = runtime.create(&spec("one")).await.expect("made");
    let execs = runtime.exec().expect("execs");
    let command = Command::new(["/bin/x"]);
    let early = execs.exec(&id, &command).await.map(|_| ());
    assert!(matches!(early, Err(ExecError::NotRunning)));
    runtime.start(&id, StdioPlan::default()).await.expect("started");
    let bad = execs.exec(&id, &Command::new([""])).await.map(|_| ());
    assert!(matches!(bad, Err(ExecError::Command(_))));
    let mut program = execs.exec(&id, &command).await.expect("a program");
    program.next().await;
    let (end, stopped) = tokio::join!(program.next(), runtime.stop(&id, Duration::ZERO));
    stopped.expect("stopped");
    let Some(ExecEvent::Ended { outcome, .. }) = end else { panic!("{end:?}") };
    assert_eq!(outcome.code(), "container_gone");
    runtime.remove(&id).await.expect("removed");
    assert!(runtime.inspect(&id).await.expect("seen").is_none());
    assert!(runtime.wait(&id).await.is_err());
}

#[tokio::test]
async fn what_is_not_held_is_refused() {
    let facts = Fake::new([]).facts();
    let life = Lifetime::For(Duration::from_secs(60));
    let limited = fake::valid(SpawnSpec::new("a").name("one").cmd(["/bin/job"]).lifetime(life));
    for (change, wanted) in [
        (Fake::new([]).with_facts(facts), &[][..]),
        (Fake::new([]).with_facts(with(facts, |f| f.memory = Enforce::Soft)), &["memory"]),
        (Fake::new([]).with_facts(with(facts, |f| f.cpu = Enforce::No)), &["cpu"]),
        (Fake::new([]).with_facts(with(facts, |f| f.pids = Enforce::No)), &["pids"]),
        (Fake::new([]).with_facts(with(facts, |f| f.network = Enforce::Soft)), &["no network"]),
        (Fake::new([]).with_facts(with(facts, |f| f.wall = Enforce::Soft)), &[]),
        (Fake::new([]).with_facts(with(facts, |f| f.wall = Enforce::No)), &["wall"]),
    ] {
        match change.create(&limited).await {
            Ok(_) => assert!(wanted.is_empty(), "{wanted:?}"),
            Err(SpawnError::Unenforceable(what)) => assert_eq!(what, wanted),
            Err(other) => panic!("{other}"),
        }
    }
    let without = SpawnSpec::new("a").cmd(["/bin/job"]).relax(Relaxation::Unlimited(Resource::Memory));
    let soft = Fake::new([]).with_facts(with(facts, |f| f.memory = Enforce::Soft));
    soft.create(&fake::valid(without)).await.expect("made without the limit");
}

fn with(
    mut facts: wire_core::spawn::RuntimeFacts,
    change: fn(&mut wire_core::spawn::RuntimeFacts),
) -> wire_core::spawn::RuntimeFacts {
    change(&mut facts);
    facts
}

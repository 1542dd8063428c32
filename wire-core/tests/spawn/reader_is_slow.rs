//! A reader that takes nothing: the program waits, or the oldest goes and exactly that is told, or the program is
//! ended; as its caller said. But where the program waits, another reader is none the slower.

use crate::support::ground::{Ground, sh};
use crate::support::images;
use wire_core::spawn::docker::{Exec, Sandbox};
use wire_core::spawn::{
    Command, ExecError, ExecEvent, ExecId, Limits, Outcome, OutputCap, Overflow, ShimMode, SpawnError,
    SpawnSpec,
};

const RING: usize = 64 << 10;
const MUCH: u64 = 8 << 20;

/// Numbers, so that each place is told by what is there: line `n` is `n` in seven digits.
fn numbers(overflow: Overflow) -> Command {
    numbers_and("sleep 0", overflow)
}

fn numbers_and(then: &str, overflow: Overflow) -> Command {
    let lines = MUCH / 8;
    sh(&format!("seq -w 1 {lines} | head -c {MUCH}; {then}"))
        .overflow(overflow)
        .output(OutputCap { head: RING / 2, tail: RING / 2 })
}

/// What each offset should hold.
fn is_right(offset: u64, bytes: &[u8]) -> bool {
    let first = offset / 8;
    let last = (offset + bytes.len() as u64).div_ceil(8);
    let text: String = (first..last).map(|line| format!("{:07}\n", line + 1)).collect();
    let skip = usize::try_from(offset % 8).unwrap();
    text.as_bytes()[skip..skip + bytes.len()] == *bytes
}

/// All that it tells: gaps as ranges, and how it ended. What comes is what should be at its place.
async fn read(mut exec: Exec) -> (u64, Vec<(u64, u64)>, Outcome) {
    let (mut at, mut gaps) = (0, Vec::new());
    loop {
        match exec.next().await.unwrap() {
            ExecEvent::Out { offset, bytes, .. } => {
                assert!(offset == at && is_right(offset, &bytes), "after {at}");
                at += bytes.len() as u64;
            }
            ExecEvent::Gap { from, to, .. } => {
                assert!(from == at && to > from);
                gaps.push((from, to));
                at = to;
            }
            ExecEvent::Ended { outcome, .. } => return (at, gaps, outcome),
            ExecEvent::Started { .. } | ExecEvent::Eof { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// How much the program has written, and whether it has ended.
async fn written(sandbox: &Sandbox, exec: &Exec) -> (u64, bool) {
    let all = sandbox.execs().await.unwrap();
    let one = all.iter().find(|info| Some(info.id) == exec.id()).unwrap();
    (one.stdout, one.outcome.is_some())
}

#[tokio::test]
async fn block_stalls_the_program_and_loses_nothing() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let exec = sandbox.exec(numbers(Overflow::Block)).await.unwrap();
    // It has come to where it can go no further: a hundred looks in a row see the same.
    let (mut before, mut same) = (0, 0);
    while same < 100 || before == 0 {
        let (now, ended) = written(&sandbox, &exec).await;
        assert!(!ended, "it cannot end before its output is taken");
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    assert!(before < 2 << 20, "{before} bytes without a reader");
    assert_eq!(read(exec).await, (MUCH, vec![], Outcome::Exited(0)));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn drop_oldest_tells_exactly_what_is_lost_and_another_reader_has_it() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let slow = sandbox.exec(numbers(Overflow::DropOldest)).await.unwrap();
    let quick = sandbox.attach(slow.id().unwrap(), [0, 0]).await.unwrap();
    // The slow one takes nothing until the quick one has come to the end.
    let (at, _, outcome) = read(quick).await;
    assert_eq!((at, outcome), (MUCH, Outcome::Exited(0)));
    let (at, gaps, outcome) = read(slow).await;
    assert_eq!((at, outcome), (MUCH, Outcome::Exited(0)));
    // What was under way when its window was full was kept, and so was the newest; between the two it is told once.
    let (Some((from, _)), Some((_, to))) = (gaps.first(), gaps.last()) else { panic!("nothing was lost") };
    assert!(*from <= 1 << 20 && *to == MUCH - RING as u64 && gaps.len() < 64, "{gaps:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_quick_reader_loses_nothing_beside_a_slow_one_that_blocks() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let quick = sandbox.exec(numbers(Overflow::Block)).await.unwrap();
    let mut slow = sandbox.attach(quick.id().unwrap(), [0, 0]).await.unwrap();
    let one_by_one = async {
        let mut at = 0;
        while let Some(event) = slow.next().await {
            if let ExecEvent::Out { offset, bytes, .. } = event {
                assert!(offset == at && is_right(offset, &bytes));
                at += bytes.len() as u64;
            }
            tokio::task::yield_now().await;
        }
        at
    };
    let (quick, slow) = tokio::join!(read(quick), one_by_one);
    assert_eq!((quick, slow), ((MUCH, vec![], Outcome::Exited(0)), MUCH));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn kill_ends_the_program() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let exec = sandbox.exec(numbers(Overflow::Kill)).await.unwrap();
    while !written(&sandbox, &exec).await.1 {}
    let output = exec.output().await;
    assert!(matches!(output.outcome, Outcome::Signaled(9 | 15)), "{:?}", output.outcome);
    assert!(output.stdout.total < MUCH);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn without_the_shim_it_is_the_same_or_refused() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    let refused = sandbox.exec(numbers(Overflow::Kill)).await;
    assert!(matches!(refused, Err(ExecError::Unsupported { .. })), "{refused:?}");

    let block = sandbox.exec(numbers(Overflow::Block)).await.unwrap();
    assert_eq!(read(block).await, (MUCH, vec![], Outcome::Exited(0)));

    sandbox.run(sh("mkfifo /tmp/end")).await.unwrap();
    let mut drops = sandbox.exec(numbers_and("echo > /tmp/end", Overflow::DropOldest)).await.unwrap();
    assert_eq!(drops.next().await, Some(ExecEvent::Started { pid: None }));
    // It ends although nobody reads it.
    sandbox.run(sh("cat /tmp/end")).await.unwrap();
    let (at, gaps, outcome) = read(drops).await;
    assert_eq!((at, outcome), (MUCH, Outcome::Exited(0)));
    assert!(gaps.first().is_some_and(|(from, to)| *from == 0 && *to > MUCH / 2), "{gaps:?}");
    sandbox.remove().await.unwrap();
}

/// The same choice for the command of a container, whatever its lifetime.
#[tokio::test]
async fn the_command_of_a_container_has_its_own_word() {
    let ground = Ground::new().await;
    let limits = Limits::default().output(OutputCap { head: RING / 2, tail: RING / 2 });
    let line = format!("seq -w 1 {} | head -c {MUCH}", MUCH / 8);
    let spec = |overflow| {
        let spec = SpawnSpec::new(images::busybox()).cmd(["sh", "-c", &line]).limits(limits);
        spec.overflow(overflow).stay()
    };
    let drops = ground.spawn(spec(Overflow::DropOldest)).await;
    while !main_has_ended(&drops).await {}
    let (to, gaps, outcome) = read(drops.main([0, 0]).await.unwrap()).await;
    assert_eq!((to, gaps.len(), outcome), (MUCH, 1, Outcome::Exited(0)));
    drops.remove().await.unwrap();

    let kills = ground.spawn(spec(Overflow::Kill)).await;
    while !main_has_ended(&kills).await {}
    let output = kills.main([0, 0]).await.unwrap().output().await;
    assert!(matches!(output.outcome, Outcome::Signaled(9 | 15)), "{:?}", output.outcome);
    kills.remove().await.unwrap();

    let refused = ground.docker.spawn(spec(Overflow::Kill).shim(ShimMode::Off)).await;
    assert!(matches!(refused, Err(SpawnError::Spec(_))), "{refused:?}");
}

async fn main_has_ended(sandbox: &Sandbox) -> bool {
    let all = sandbox.execs().await.unwrap();
    all.iter().any(|exec| exec.id == ExecId::MAIN && exec.outcome.is_some())
}

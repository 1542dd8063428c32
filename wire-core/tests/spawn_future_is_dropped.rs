//! Whoever waits goes away, at any moment: of the program nothing is left, of the container neither, nor a
//! descriptor here.

#![cfg(feature = "docker")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests, too, end at a surprise"
)]

#[path = "spawn/support/mod.rs"]
mod support;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use support::ground::{Ground, descriptors, plain, processes, sh, until, until_only_the_shim_runs};
use support::images;
use wire_core::spawn::{Outcome, SpawnSpec, Stdin};

const TREE: &str = "sleep 1000 & setsid sleep 1000 & head -c 100000 /dev/zero; sleep 1000";
/// The same, but there is always something more to hear of it.
const LOUD: &str = "sleep 1000 & setsid sleep 1000 & cat /dev/zero";

/// Looks at it this often, then drops it. It has to have so much to say: what is silent is not looked at again.
async fn for_polls<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let before = descriptors();
    for turn in 0..50_u64 {
        let tree = sh(TREE).grace(Duration::ZERO);
        match turn % 3 {
            // Dropped before it is told of anything, and after its first events.
            0 => {
                let polls = u32::try_from(random(6)).unwrap();
                assert!(for_polls(polls, sandbox.run(sh(LOUD).grace(Duration::ZERO))).await.is_none());
            }
            1 => {
                let pause = Duration::from_micros(random(30_000));
                assert!(tokio::time::timeout(pause, sandbox.run(tree)).await.is_err());
            }
            _ => {
                let mut exec = sandbox.exec(tree.stdin(Stdin::Piped)).await.unwrap();
                let input = exec.stdin();
                for _ in 0..random(3) {
                    exec.next().await.unwrap();
                }
                drop(exec);
                drop(input);
            }
        }
    }
    until_only_the_shim_runs(sandbox.id().as_str()).await;
    assert_eq!(sandbox.run(sh("exit 3")).await.unwrap().outcome, Outcome::Exited(3));
    until("the descriptors are back", || descriptors() <= before).await;
    let listed = sandbox.execs().await.unwrap();
    assert!(listed.iter().all(|exec| exec.outcome.is_some()), "{listed:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers() {
    let ground = Ground::new().await;
    // The first one also makes the shim's volume.
    ground.waiting().await.remove().await.unwrap();
    let before = descriptors();
    let mut made = 0;
    for turn in 0..24_u64 {
        let spec = SpawnSpec::new(images::busybox()).name(format!("dropped-{}-{turn}", std::process::id()));
        let spec = if turn % 4 == 3 { plain(["sleep", "1000"]) } else { spec };
        // Over the whole time that one takes, and densely over its first part, where `create` is under way.
        let limit = if turn % 2 == 0 { 30_000 } else { 300_000 };
        let pause = Duration::from_micros(random(limit));
        if let Ok(spawned) = tokio::time::timeout(pause, ground.docker.spawn(spec)).await {
            made += 1;
            spawned.unwrap().remove().await.unwrap();
        }
    }
    println!("{made} of 24 were faster than the drop");
    until("no container is left", || ground.containers().is_empty()).await;
    // What was under way when the engine was last asked may come later: it has to be gone as well.
    for name in (0..24).map(|turn| format!("dropped-{}-{turn}", std::process::id())) {
        let again = ground.spawn(SpawnSpec::new(images::busybox()).name(&name).cmd(["true"])).await;
        again.remove().await.unwrap();
        if name.ends_with("-4") {
            break;
        }
    }
    until("no container is left", || ground.containers().is_empty()).await;
    until("the descriptors are back", || descriptors() <= before).await;
}

/// Whether or not somebody in it would see that this process has let go of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs() {
    let ground = Ground::new().await;
    for spec in [SpawnSpec::new(images::busybox()).cmd(["sleep", "1000"]), plain(["sleep", "1000"])] {
        let docker = ground.docker.clone();
        let run = tokio::spawn(async move { docker.run(spec).await.map(drop) });
        until("it runs", || ground.containers().iter().any(|id| !processes(id).is_empty())).await;
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        until("no container is left", || ground.containers().is_empty()).await;
    }
}

#[tokio::test]
async fn readers_that_others_have_too() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let mut exec = sandbox.exec(sh("echo one; read line; echo $line").stdin(Stdin::Piped)).await.unwrap();
    let id = exec.id().unwrap();
    let mut input = exec.stdin().unwrap();
    let other = sandbox.attach(id, [0, 0]).await.unwrap();
    drop(sandbox.attach(id, [0, 0]).await.unwrap());
    input.write_all(b"two\n").await.unwrap();
    assert_eq!(other.output().await.stdout.text(), "one\ntwo\n");
    assert_eq!(exec.output().await.outcome, Outcome::Exited(0), "an attached reader's drop ends nothing");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn without_the_shim_the_program_goes_on_and_nothing_is_held_here() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    let before = descriptors();
    // More than any buffer on the way: it would stall if its output were no longer taken.
    let id = sandbox.id().to_string();
    let exec = sandbox.exec(sh("head -c 8000000 /dev/zero; touch /tmp/done; sleep 1000")).await.unwrap();
    drop(exec);
    loop {
        if sandbox.run(sh("test -e /tmp/done")).await.unwrap().outcome == Outcome::Exited(0) {
            break;
        }
    }
    assert!(processes(&id).iter().any(|p| p.ends_with("sleep 1000")));
    sandbox.remove().await.unwrap();
    until("the descriptors are back", || descriptors() <= before).await;
}

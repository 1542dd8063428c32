//! A fork bomb: it comes to the container's limit and no further, the machine goes on, and it is ended.

use std::time::Duration;

use crate::support::ground::{Ground, plain, sh, until, until_only_the_shim_runs};
use crate::support::images;
use wire_core::spawn::docker::Sandbox;
use wire_core::spawn::{ExecError, Limits, Outcome, SpawnSpec};

const PIDS: u32 = 64;
/// Forks until it cannot, and keeps all of them.
const BOMB: &str =
    "trap '' HUP; (while :; do sleep 1000 & done); (bomb() { bomb | bomb & }; bomb); exec sleep 1000";

/// Waits until there is no room for one more, and looks a while whether there are ever more.
async fn until_full(sandbox: &Sandbox) {
    let mut full = 0;
    while full < 10 {
        let pids = sandbox.stats().await.unwrap().pids;
        assert!(pids <= u64::from(PIDS), "{pids} processes");
        full += u32::from(pids >= u64::from(PIDS) - 4);
    }
    let host = std::process::Command::new("/bin/true").status().unwrap();
    assert!(host.success(), "the machine itself starts processes");
}

#[tokio::test]
async fn its_tree_is_killed_and_the_container_is_of_use_again() {
    let ground = Ground::new().await;
    let limits = Limits::default().pids(PIDS);
    let sandbox = ground.spawn(SpawnSpec::new(images::busybox()).limits(limits)).await;
    let bomb = sandbox.exec(sh(BOMB)).await.unwrap();
    until_full(&sandbox).await;

    // One more finds no room, or a gap between two of the bomb's own: either way it is said, and soon.
    let one_more = sandbox.run(sh("exit 3")).await.unwrap().outcome;
    assert!(matches!(one_more, Outcome::NotStarted(_) | Outcome::Exited(3 | 2)), "{one_more:?}");

    bomb.kill_tree(Duration::ZERO).unwrap();
    let killed = bomb.output().await.outcome;
    assert!(matches!(killed, Outcome::Signaled(9 | 15)), "{killed:?}");
    until_only_the_shim_runs(sandbox.id().as_str()).await;
    assert_eq!(sandbox.run(sh("exit 3")).await.unwrap().outcome, Outcome::Exited(3));

    let bomb = sandbox.exec(sh(BOMB)).await.unwrap();
    until_full(&sandbox).await;
    let exit = sandbox.stop(Duration::from_secs(1)).await.unwrap();
    assert_eq!(exit.code, Some(143));
    assert!(matches!(bomb.output().await.outcome, Outcome::Signaled(9 | 15) | Outcome::ContainerGone(_)));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn without_the_shim_the_container_is_stopped_with_all_of_it() {
    let ground = Ground::new().await;
    let spec = plain(["sh", "-c", BOMB]).limits(Limits::default().pids(PIDS));
    let sandbox = ground.spawn(spec).await;
    until_full(&sandbox).await;
    match sandbox.exec(sh("exit 3")).await {
        Ok(exec) => drop(exec.output().await),
        Err(ExecError::Engine(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
    let exit = sandbox.stop(Duration::from_secs(1)).await.unwrap();
    assert!(matches!(exit.code, Some(137 | 143)), "{exit:?}");
    let id = sandbox.id().to_string();
    sandbox.remove().await.unwrap();
    until("the container is gone", || !ground.containers().contains(&id)).await;
}

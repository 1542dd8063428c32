//! A container is killed, removed or frozen while programs run in it: each program is told as gone with it, and
//! what cannot be done now is refused by its type.

use std::time::Duration;

use crate::support::ground::{Ground, plain, sh};
use crate::support::hardened::docker;
use crate::support::images;
use wire_core::spawn::docker::{Exec, Sandbox};
use wire_core::spawn::{
    EngineError, ExecError, ExecEvent, Exit, ExitReason, Lifetime, Limits, Outcome, Signal, SpawnError,
    SpawnSpec, Stdin,
};

/// A program of which it is known that it runs.
async fn running(sandbox: &Sandbox) -> Exec {
    that_runs(sandbox.exec(sh(LONG).stdin(Stdin::Piped)).await.unwrap()).await
}

const LONG: &str = "echo here; exec sleep 1000";

async fn that_runs(mut exec: Exec) -> Exec {
    loop {
        if let ExecEvent::Out { .. } = exec.next().await.unwrap() {
            return exec;
        }
    }
}

fn engine(args: &[&str]) {
    let done = docker(args);
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

async fn killed(sandbox: Sandbox) {
    let mut exec = running(&sandbox).await;
    let mut input = exec.stdin().unwrap();
    engine(&["kill", sandbox.id().as_str()]);
    let Outcome::ContainerGone(exit) = exec.output().await.outcome else { panic!("it is gone") };
    assert_eq!((exit.code, exit.signal), (Some(137), Some(9)));
    let refused = loop {
        if let Err(error) = input.write_all(b"more").await {
            break error;
        }
    };
    assert!(matches!(refused, ExecError::StdinClosed), "{refused:?}");
    let used = sandbox.stats().await;
    assert!(matches!(used, Err(EngineError::Conflict(_))), "nobody knows any more: {used:?}");
    let after = sandbox.run(sh("true")).await;
    match after {
        Err(ExecError::NotRunning) => {}
        Ok(output) => assert!(matches!(output.outcome, Outcome::ContainerGone(_)), "{output:?}"),
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(sandbox.wait().await.unwrap().code, Some(137));
    sandbox.remove().await.unwrap();
}

async fn removed(sandbox: Sandbox) {
    let exec = running(&sandbox).await;
    engine(&["rm", "-f", "-v", sandbox.id().as_str()]);
    let outcome = exec.output().await.outcome;
    // The engine may still have known how it ended, if it was asked in time.
    let Outcome::ContainerGone(exit) = outcome else { panic!("{outcome:?}") };
    assert!(exit.reason == ExitReason::Removed || exit.code == Some(137), "{exit:?}");
    assert_eq!(sandbox.wait().await.unwrap().reason, ExitReason::Removed);
    assert_eq!(sandbox.kill().await.unwrap().reason, ExitReason::Removed);
    assert_eq!(sandbox.stop(Duration::ZERO).await.unwrap().reason, ExitReason::Removed);
    sandbox.remove().await.unwrap();
}

async fn frozen(sandbox: Sandbox) {
    let exec = running(&sandbox).await;
    engine(&["pause", sandbox.id().as_str()]);
    for refused in [sandbox.run(sh("touch /tmp/ran")).await, sandbox.run(sh("touch /tmp/ran")).await] {
        assert!(matches!(refused, Err(ExecError::Paused)), "{refused:?}");
    }
    if sandbox.has_shim() {
        // Nobody would answer.
        assert!(matches!(sandbox.execs().await, Err(ExecError::Paused)));
        assert!(matches!(sandbox.main([0, 0]).await, Err(ExecError::Paused)));
        assert!(matches!(sandbox.attest().await, Err(SpawnError::Exec(ExecError::Paused))));
        assert!(matches!(sandbox.signal(Signal::TERM).await, Err(ExecError::Paused)));
        assert!(matches!(sandbox.end_after(Duration::from_secs(60)).await, Err(ExecError::Paused)));
        assert!(matches!(sandbox.forget(exec.id().unwrap()).await, Err(ExecError::Paused)));
        assert!(matches!(exec.signal(Signal::TERM, true).await, Err(ExecError::Paused)));
    }
    engine(&["unpause", sandbox.id().as_str()]);
    let ran = sandbox.run(sh("test -e /tmp/ran")).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Exited(1), "what was refused does not run later");
    if sandbox.has_shim() {
        exec.kill_tree(Duration::ZERO).unwrap();
        assert!(matches!(exec.output().await.outcome, Outcome::Signaled(_)));
    }
    engine(&["pause", sandbox.id().as_str()]);
    let exit = sandbox.stop(Duration::from_secs(1)).await.unwrap();
    assert!(matches!(exit.code, Some(137 | 143)), "a frozen one is stopped all the same: {exit:?}");
    sandbox.remove().await.unwrap();
}

/// Whoever ended it knows so, whichever way it is asked.
#[tokio::test]
async fn this_handle_remembers_what_it_did() {
    let ground = Ground::new().await;
    for kill in [false, true] {
        let sandbox = ground.waiting().await;
        let exec = running(&sandbox).await;
        let by_engine = that_runs(sandbox.exec(sh(LONG).user(1000, 1001)).await.unwrap()).await;
        let (waited, ended, told, by_engine) = tokio::join!(
            sandbox.wait(),
            async { if kill { sandbox.kill().await } else { sandbox.stop(Duration::from_secs(5)).await } },
            exec.output(),
            by_engine.output(),
        );
        let reason = if kill { ExitReason::Killed } else { ExitReason::Stopped };
        let again = sandbox.stop(Duration::ZERO).await.unwrap().reason;
        let status = sandbox.status().await.unwrap().exit.unwrap().reason;
        let all = [waited.unwrap().reason, ended.unwrap().reason, again, status];
        assert_eq!(all, [reason; 4], "killed: {kill}");
        match told.outcome {
            Outcome::ContainerGone(exit) => assert_eq!(exit.reason, reason),
            // The shim had ended it before.
            Outcome::Signaled(_) if !kill => {}
            other => panic!("{other:?}"),
        }
        match by_engine.outcome {
            Outcome::ContainerGone(exit) => assert_eq!(exit.reason, reason),
            Outcome::Exited(143) if !kill => {}
            other => panic!("{other:?}"),
        }
        sandbox.remove().await.unwrap();
    }
    let spec = SpawnSpec::new(images::busybox()).cmd(["sh", "-c", "exit 4"]);
    let sandbox = ground.spawn(spec).await;
    let first = sandbox.main([0, 0]).await.unwrap().output().await;
    assert_eq!(first.outcome, Outcome::Exited(4));
    while sandbox.status().await.unwrap().exit.is_none() {}
    // Its output is gone with it, which is no reason to know nothing of its end.
    match sandbox.main([0, 0]).await {
        Err(ExecError::NotRunning) => {}
        Ok(late) => {
            let outcome = late.output().await.outcome;
            assert!(matches!(outcome, Outcome::ContainerGone(_)), "{outcome:?}");
        }
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(sandbox.wait().await.unwrap().reason, ExitReason::Itself);
    assert_eq!(sandbox.status().await.unwrap().exit.unwrap().reason, ExitReason::Itself);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn killed_under_the_shim() {
    let ground = Ground::new().await;
    killed(ground.waiting().await).await;
}

#[tokio::test]
async fn killed_without_the_shim() {
    let ground = Ground::new().await;
    killed(ground.plain().await).await;
}

#[tokio::test]
async fn removed_under_the_shim() {
    let ground = Ground::new().await;
    removed(ground.waiting().await).await;
}

#[tokio::test]
async fn removed_without_the_shim() {
    let ground = Ground::new().await;
    removed(ground.plain().await).await;
}

#[tokio::test]
async fn frozen_under_the_shim() {
    let ground = Ground::new().await;
    frozen(ground.waiting().await).await;
}

#[tokio::test]
async fn frozen_without_the_shim() {
    let ground = Ground::new().await;
    frozen(ground.plain().await).await;
}

#[tokio::test]
async fn frozen_and_killed() {
    let ground = Ground::new().await;
    for sandbox in [ground.waiting().await, ground.plain().await] {
        engine(&["pause", sandbox.id().as_str()]);
        assert_eq!(sandbox.kill().await.unwrap().code, Some(137));
        sandbox.remove().await.unwrap();
    }
}

#[tokio::test]
async fn it_ends_with_its_command_while_a_program_runs() {
    let ground = Ground::new().await;
    let line = "read line; exit 9";
    for spec in [SpawnSpec::new(images::busybox()).cmd(["sh", "-c", line]), plain(["sh", "-c", line])] {
        let sandbox = ground.spawn(spec.stdin(Stdin::Piped)).await;
        let exec = running(&sandbox).await;
        let mut main = sandbox.main([0, 0]).await.unwrap();
        main.stdin().unwrap().write_all(b"\n").await.unwrap();
        assert_eq!(main.output().await.outcome, Outcome::Exited(9));
        let outcome = exec.output().await.outcome;
        assert!(
            matches!(outcome, Outcome::ContainerGone(_) | Outcome::Signaled(9 | 15)),
            "it did not end by itself: {outcome:?}"
        );
        assert_eq!(sandbox.wait().await.unwrap().code, Some(9));
        assert!(matches!(sandbox.signal(Signal::TERM).await, Err(ExecError::NotRunning | ExecError::NoExec)));
        sandbox.remove().await.unwrap();
    }
}

/// Nobody is said to have ended what ended by itself.
#[tokio::test]
async fn why_it_ended_is_said_only_if_it_is_known() {
    let ground = Ground::new().await;
    let ended = |exit: Exit| (exit.code, exit.reason, exit.oom_seen);

    for spec in [SpawnSpec::new(images::busybox()).cmd(["sh", "-c", "exit 3"]), plain(["sh", "-c", "exit 3"])]
    {
        let itself = ground.spawn(spec).await;
        let expected = (Some(3), ExitReason::Itself, false);
        assert_eq!(ended(itself.wait().await.unwrap()), expected);
        assert_eq!(ended(itself.stop(Duration::ZERO).await.unwrap()), expected);
        assert_eq!(ended(itself.kill().await.unwrap()), expected);
        itself.remove().await.unwrap();
    }

    let stopped = ground.waiting().await;
    assert_eq!(
        ended(stopped.stop(Duration::from_secs(5)).await.unwrap()),
        (Some(143), ExitReason::Stopped, false)
    );
    stopped.remove().await.unwrap();
    let killed = ground.waiting().await;
    assert_eq!(ended(killed.kill().await.unwrap()), (Some(137), ExitReason::Killed, false));
    killed.remove().await.unwrap();

    let by_another = ground.waiting().await;
    engine(&["kill", by_another.id().as_str()]);
    assert_eq!(ended(by_another.wait().await.unwrap()), (Some(137), ExitReason::Unknown, false));
    by_another.remove().await.unwrap();

    let spec = SpawnSpec::new(images::busybox()).lifetime(Lifetime::For(Duration::from_secs(1)));
    let over = ground.spawn(spec).await;
    assert_eq!(ended(over.wait().await.unwrap()), (Some(124), ExitReason::Deadline, false));
    over.remove().await.unwrap();
    let spec = SpawnSpec::new(images::busybox()).cmd(["sh", "-c", "exit 124"]);
    let seems_over = ground.spawn(spec).await;
    assert_eq!(ended(seems_over.wait().await.unwrap()), (Some(124), ExitReason::Unknown, false));
    seems_over.remove().await.unwrap();
}

/// A new end is not later than the one that was said at first, and no reason to outlive whoever holds it.
#[tokio::test]
async fn another_end_is_an_earlier_one() {
    let ground = Ground::new().await;
    let spec = || SpawnSpec::new(images::busybox());
    let later = ground.spawn(spec().lifetime(Lifetime::For(Duration::from_secs(2)))).await;
    later.end_after(Duration::from_secs(1000)).await.unwrap();
    assert_eq!(later.wait().await.unwrap().reason, ExitReason::Deadline);
    later.remove().await.unwrap();

    let held = ground.spawn(spec().limits(Limits::default().wall(Duration::from_secs(3000)))).await;
    held.end_after(Duration::from_secs(2000)).await.unwrap();
    let (name, owner) = (held.name().clone(), ground.docker.clone());
    drop(held);
    let left = owner.get(name.as_str()).await.unwrap().unwrap();
    assert_eq!(left.wait().await.unwrap().code, Some(129), "the lease");
    left.remove().await.unwrap();
}

//! A program's time is over: its whole tree goes, whatever it ignores or holds, and what it said before is kept.

use std::time::Duration;

use crate::support::ground::{Ground, hear, processes, sh};
use wire_core::spawn::{ExecError, Outcome, Signal};

/// Grandchildren that ignore SIGTERM, hold the pipe, and have left the session and their parent.
const STUBBORN: &str = "echo partial; echo words >&2; trap '' TERM
    (sleep 1000 &)
    setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & sleep 1000' &
    sleep 1000";

#[tokio::test]
async fn a_tree_that_ignores_being_asked_is_gone_and_its_words_are_kept() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let stubborn = sh(STUBBORN).timeout(Duration::from_millis(400)).grace(Duration::from_millis(200));
    let output = sandbox.run(stubborn).await.unwrap();
    assert_eq!(output.outcome, Outcome::TimedOut { killed: true });
    assert_eq!((output.stdout.text(), output.stderr.text()), ("partial\n".to_owned(), "words\n".to_owned()));
    let left = processes(sandbox.id().as_str());
    assert_eq!(left.len(), 1, "nothing is left when it is told: {left:?}");
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn one_that_ends_when_asked_has_timed_out_too() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let polite = sh("trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.05; done");
    let polite = polite.timeout(Duration::from_millis(400)).grace(Duration::from_secs(60));
    let output = sandbox.run(polite).await.unwrap();
    assert_eq!(output.outcome, Outcome::TimedOut { killed: true });
    assert_eq!(output.stdout.text(), "hello\nbye\n");
    let quick = sandbox.run(sh("exit 3").timeout(Duration::from_secs(60))).await.unwrap();
    assert_eq!(quick.outcome, Outcome::Exited(3));
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_child_in_the_background_does_not_keep_the_end_back() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    // It ends by itself; what it leaves behind holds the pipe, belongs to its tree, and is killed on request.
    let mut exec = sandbox.exec(sh("sleep 1000 & echo done")).await.unwrap();
    loop {
        let event = exec.next().await.unwrap();
        if matches!(&event, wire_core::spawn::ExecEvent::Out { bytes, .. } if bytes == b"done\n") {
            break;
        }
    }
    exec.kill_tree(Duration::ZERO).unwrap();
    assert_eq!(exec.output().await.outcome, Outcome::Exited(0), "it had ended before");
    assert_eq!(processes(sandbox.id().as_str()).len(), 1);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn without_the_shim_there_is_no_limit_and_no_signal_and_no_pretence() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    let refused = sandbox.run(sh("sleep 1000").timeout(Duration::from_secs(1))).await;
    assert!(matches!(refused, Err(ExecError::Unsupported { .. })), "{refused:?}");
    let exec = sandbox
        .exec(sh("read line; exit 3").stdin(wire_core::spawn::Stdin::Bytes(b"x\n".to_vec())))
        .await
        .unwrap();
    assert!(matches!(exec.kill_tree(Duration::ZERO), Err(ExecError::Unsupported { .. })));
    assert!(matches!(exec.signal(Signal::TERM, true).await, Err(ExecError::Unsupported { .. })));
    assert_eq!(hear(exec).await.outcome, Outcome::Exited(3));
    sandbox.remove().await.unwrap();
}

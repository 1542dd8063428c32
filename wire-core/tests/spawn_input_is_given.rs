//! A program's input: none unless asked for, its end by closing, any amount without a deadlock, and a word when
//! it takes no more.

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

use support::ground::{Ground, forget_peak, hear, peak, plain, sh};
use support::images;
use wire_core::spawn::docker::{Exec, ExecStdin, Sandbox};
use wire_core::spawn::{Command, ExecError, ExecEvent, Outcome, SpawnSpec, Stdin};

const MUCH: usize = 100 << 20;

async fn none_by_default(sandbox: &Sandbox) {
    let told = hear(sandbox.exec(Command::new(["cat"])).await.unwrap()).await;
    assert_eq!((told.outcome, told.stdout), (Outcome::Exited(0), vec![]));
    assert!(sandbox.exec(Command::new(["true"])).await.unwrap().stdin().is_none());
    let bytes = Stdin::Bytes(b"all of it".to_vec());
    let told = hear(sandbox.exec(Command::new(["cat"]).stdin(bytes)).await.unwrap()).await;
    assert_eq!((told.outcome, told.stdout), (Outcome::Exited(0), b"all of it".to_vec()));
    let empty = Stdin::Bytes(Vec::new());
    let told = hear(sandbox.exec(Command::new(["cat"]).stdin(empty)).await.unwrap()).await;
    assert_eq!((told.outcome, told.stdout), (Outcome::Exited(0), vec![]));
}

/// By `close`, and by dropping the handle.
async fn it_ends_when_it_is_closed(sandbox: &Sandbox) {
    for drops in [false, true] {
        let mut exec = sandbox.exec(Command::new(["cat"]).stdin(Stdin::Piped)).await.unwrap();
        let mut input = exec.stdin().unwrap();
        assert!(exec.stdin().is_none(), "there is one");
        input.write_all(b"to the end").await.unwrap();
        if drops {
            drop(input);
        } else {
            input.close().await.unwrap();
        }
        let told = hear(exec).await;
        assert_eq!((told.outcome, told.stdout), (Outcome::Exited(0), b"to the end".to_vec()));
    }
}

async fn write_much(mut input: ExecStdin) {
    let block: Vec<u8> = (0..=250).cycle().take(251 * 1024).collect();
    let mut left = MUCH;
    while left > 0 {
        let now = left.min(block.len());
        input.write_all(&block[..now]).await.unwrap();
        left -= now;
    }
    input.close().await.unwrap();
}

async fn read_much(mut exec: Exec) {
    let mut total = 0;
    loop {
        match exec.next().await.unwrap() {
            ExecEvent::Out { bytes, .. } => {
                let from = total % 251;
                let right =
                    bytes.iter().zip((0..=250_u8).cycle().skip(from)).all(|(is, should)| *is == should);
                assert!(right, "somewhere after {total}");
                total += bytes.len();
            }
            ExecEvent::Ended { outcome, .. } => {
                assert_eq!((outcome, total), (Outcome::Exited(0), MUCH));
                return;
            }
            ExecEvent::Started { .. } | ExecEvent::Eof { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn much_comes_back(sandbox: &Sandbox) {
    let mut exec = sandbox.exec(Command::new(["cat"]).stdin(Stdin::Piped)).await.unwrap();
    let before = forget_peak();
    let input = exec.stdin().unwrap();
    tokio::join!(write_much(input), read_much(exec));
    let grown = peak().saturating_sub(before);
    assert!(grown <= 16 << 10, "{grown} KiB");
}

async fn it_is_said_when_no_more_is_taken(sandbox: &Sandbox) {
    let mut exec = sandbox.exec(sh("read line; exit 3").stdin(Stdin::Piped)).await.unwrap();
    let mut input = exec.stdin().unwrap();
    input.write_all(b"a line\n").await.unwrap();
    assert_eq!(hear(exec).await.outcome, Outcome::Exited(3));
    let refused = loop {
        // What was under way when it ended is nobody's failure.
        if let Err(error) = input.write_all(&[7; 100_000]).await {
            break error;
        }
    };
    assert!(matches!(refused, ExecError::StdinClosed), "{refused:?}");
}

#[tokio::test]
async fn through_the_shim() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    none_by_default(&sandbox).await;
    it_ends_when_it_is_closed(&sandbox).await;
    it_is_said_when_no_more_is_taken(&sandbox).await;
    // It closes its input and goes on.
    let mut exec = sandbox.exec(sh("exec <&-; sleep 1000").stdin(Stdin::Piped)).await.unwrap();
    let mut input = exec.stdin().unwrap();
    while input.write_all(&[7; 1000]).await.is_ok() {}
    drop(exec);
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn through_the_engine() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    none_by_default(&sandbox).await;
    it_ends_when_it_is_closed(&sandbox).await;
    it_is_said_when_no_more_is_taken(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_hundred_megabytes_through_the_shim() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    much_comes_back(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn a_hundred_megabytes_through_the_engine() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    much_comes_back(&sandbox).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn of_the_container_itself() {
    let ground = Ground::new().await;
    let with_shim = || SpawnSpec::new(images::busybox()).cmd(["cat"]);
    for spec in [with_shim, || plain(["cat"])] {
        let none = ground.spawn(spec()).await;
        let output = none.main([0, 0]).await.unwrap().output().await;
        assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(0), 0));
        none.remove().await.unwrap();

        let all = ground.spawn(spec().stdin(Stdin::Bytes(b"all of it".to_vec()))).await;
        let output = all.main([0, 0]).await.unwrap().output().await;
        assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(0), "all of it".to_owned()));
        all.remove().await.unwrap();

        let piped = ground.spawn(spec().stdin(Stdin::Piped)).await;
        let mut main = piped.main([0, 0]).await.unwrap();
        let mut input = main.stdin().unwrap();
        input.write_all(b"by hand").await.unwrap();
        input.close().await.unwrap();
        let output = main.output().await;
        assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(0), "by hand".to_owned()));
        piped.remove().await.unwrap();
    }
}

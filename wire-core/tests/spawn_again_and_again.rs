//! Made, used and removed, over and over: neither descriptors nor memory grow, and nothing is left on the engine
//! or in the installation's folder.
//!
//! 30 times; `.ci/run long` does it 1,000 times.

#![cfg(feature = "docker")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests, too, end at a surprise"
)]

#[path = "spawn/support/mod.rs"]
mod support;

use std::path::Path;

use support::ground::{Ground, descriptors, long, plain, resident, sh, until};
use support::images;
use wire_core::spawn::{Outcome, SpawnSpec};

fn cycles() -> usize {
    if long() { 1000 } else { 30 }
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

async fn cycle(ground: &Ground, turn: usize) {
    let spec = if turn % 3 == 2 { plain(["sleep", "1000"]) } else { SpawnSpec::new(images::busybox()) };
    let sandbox = ground.spawn(spec).await;
    for code in [0, 3] {
        let output = sandbox.run(sh(&format!("head -c 300000 /dev/zero; exit {code}"))).await.unwrap();
        assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(code), 300_000));
    }
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn nothing_grows() {
    let ground = Ground::new().await;
    // What is made once: the shim's volume, buffers, the allocator's own.
    for turn in 0..6 {
        cycle(&ground, turn).await;
    }
    let (open, memory, kept) = (descriptors(), resident(), files(ground.home.path()));
    let cycles = cycles();
    for turn in 0..cycles {
        cycle(&ground, turn).await;
        if turn % 100 == 99 {
            println!("{} cycles: {} descriptors, {} KiB", turn + 1, descriptors(), resident());
        }
    }
    until("the descriptors are back", || descriptors() <= open).await;
    let grown = resident().saturating_sub(memory);
    assert!(grown <= 4 << 10, "{grown} KiB in {cycles} cycles");
    assert_eq!(files(ground.home.path()), kept, "in the installation's folder");
    assert_eq!(ground.containers(), Vec::<String>::new());
}

#[tokio::test]
async fn programs_in_one_container() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    let run = async |turn: usize| {
        let output = sandbox.run(sh(&format!("echo {turn}"))).await.unwrap();
        assert_eq!((output.outcome, output.stdout.text()), (Outcome::Exited(0), format!("{turn}\n")));
    };
    for turn in 0..50 {
        run(turn).await;
    }
    let (open, memory, inside) = (descriptors(), resident(), sandbox.stats().await.unwrap());
    for turn in 0..cycles() * 10 {
        run(turn).await;
    }
    let after = sandbox.stats().await.unwrap();
    assert_eq!(after.pids, inside.pids);
    until("the descriptors are back", || descriptors() <= open).await;
    let grown = resident().saturating_sub(memory);
    assert!(grown <= 4 << 10, "{grown} KiB here");
    let grown = after.memory.saturating_sub(inside.memory) >> 10;
    assert!(grown <= 4 << 10, "{grown} KiB in the container");
    sandbox.remove().await.unwrap();
}

//! More output than anybody could keep: its beginning, its end and its exact length are kept, and no memory grows.

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

use support::ground::{Ground, forget_peak, long, peak, sh};
use wire_core::spawn::docker::Sandbox;
use wire_core::spawn::{Outcome, OutputCap};

const HALF: usize = 512 << 10;

/// A first line, `zeros` bytes, a last line.
async fn kept_to_its_ends(sandbox: &Sandbox, zeros: u64) {
    let cap = OutputCap { head: HALF, tail: HALF };
    let huge = |zeros: u64| sh(&format!("echo first; head -c {zeros} /dev/zero; echo last")).output(cap);
    // Once for what stays: buffers, and the allocator's own.
    sandbox.run(huge(4 << 20)).await.unwrap();
    let before = forget_peak();
    let output = sandbox.run(huge(zeros)).await.unwrap();
    let grown = peak().saturating_sub(before);
    assert_eq!((output.outcome, output.stdout.total), (Outcome::Exited(0), zeros + 11));
    assert_eq!((output.stdout.head.len(), output.stdout.tail.len()), (HALF, HALF));
    assert_eq!(output.stdout.dropped, zeros + 11 - (1 << 20));
    assert!(output.stdout.head.starts_with(b"first\n\0") && output.stdout.tail.ends_with(b"\0last\n"));
    assert!(grown <= 16 << 10, "{grown} KiB");
}

#[tokio::test]
async fn through_the_shim() {
    let ground = Ground::new().await;
    let sandbox = ground.waiting().await;
    // Its frames are slow to read in a program that is not optimised.
    let zeros = if long() { 1 << 30 } else { 256 << 20 };
    kept_to_its_ends(&sandbox, zeros).await;
    sandbox.remove().await.unwrap();
}

#[tokio::test]
async fn through_the_engine() {
    let ground = Ground::new().await;
    let sandbox = ground.plain().await;
    kept_to_its_ends(&sandbox, 1 << 30).await;
    sandbox.remove().await.unwrap();
}

//! Real processes that are killed at random: the relay, and on each side two processes that share one store, one
//! that sends and one that receives. Afterwards nothing is lost, nothing doubled, and the order kept.
//!
//! `.ci/run long` runs it twenty times with 10,000 messages each way. A run is repeated, as far as its kills go, by
//! `WIRE_CHAOS_SEED`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "processes of this test talk by lines, and a run says what it did")]

#[path = "../agents/support/mod.rs"]
mod support;

mod everything_arrives_once;
mod process;

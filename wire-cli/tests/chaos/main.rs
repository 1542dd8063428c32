//! Real processes under faults at random: the relay, and on each side eight processes that share one store, seven
//! that send and one that receives. All of them are killed, their disks are full for a while, and their clocks jump.
//! Afterwards nothing is lost, nothing doubled, and the order kept.
//!
//! `.ci/run long` runs it twenty times with 10,010 messages each way. A run is repeated, as far as its faults go, by
//! `WIRE_CHAOS_SEED`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "processes of this test talk by lines, and a run says what it did")]

#[path = "../agents/support/mod.rs"]
mod support;

mod clock_is_put_back;
mod everything_arrives_once;
mod ground;
mod process;

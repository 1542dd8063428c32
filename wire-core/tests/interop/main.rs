//! The library against a second implementation of the protocol, in Python, which was written from PROTOCOL.md alone
//! (`wire_peer/`): one plays one side, the other the other, byte for byte, in both directions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../pairing/support/mod.rs"]
mod support;

mod envelopes_open_on_the_other_side;
mod logs_are_verified_by_the_other;
mod one_pairs_with_the_other;
mod python;

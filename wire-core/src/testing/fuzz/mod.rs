//! What holds for every input, as functions of bytes: for `.ci/run fuzz`, which searches for an input that
//! breaks one, and for `tests/fuzz_corpus.rs`, which replays the seeds of `fuzz/seeds`.
//!
//! 1. A target takes any bytes, and panics if its property does not hold for them. Work is bounded.
//! 2. Where random bytes would be refused at the first check, a target seals or signs them with fixed keys, or
//!    changes an honest message: what is behind the check is reached too.
//! 3. `seeds` are inputs to begin with, the honest ones among them. `accepted` counts what a target
//!    took, so that a test can tell a target that refuses everything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target ends at what must not be; nothing of this is in a product"
)]

mod envelope;
mod identity;
mod input;
mod log;
mod mailbox;
mod mailbox_client;
mod offer;
mod pairing;
mod record;
mod recovery;
mod relay;
mod reset;
mod scenario;
mod seeds;
mod session;
mod text;
mod world;

use std::cell::Cell;

pub use envelope::envelope;
pub use identity::{certificate, identity};
pub use log::log;
pub use mailbox::{frames, mailbox_bodies, relay_proof};
pub use mailbox_client::mailbox_client;
pub use offer::offer;
pub use pairing::pairing;
pub use record::record;
pub use recovery::recovery;
pub use relay::relay_requests;
pub use reset::{reset, reset_envelope};
pub use scenario::scenario;
pub use seeds::{Seed, seeds};
pub use session::{session_open, session_state};
pub use text::text;

/// A property of every input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its program and of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("text", text),
    ("identity", identity),
    ("certificate", certificate),
    ("record", record),
    ("recovery", recovery),
    ("offer", offer),
    ("pairing", pairing),
    ("envelope", envelope),
    ("mailbox_bodies", mailbox_bodies),
    ("frames", frames),
    ("relay_proof", relay_proof),
    ("relay_requests", relay_requests),
    ("mailbox_client", mailbox_client),
    ("log", log),
    ("session_state", session_state),
    ("session_open", session_open),
    ("scenario", scenario),
    ("reset", reset),
    ("reset_envelope", reset_envelope),
];

thread_local! {
    static ACCEPTED: Cell<u64> = const { Cell::new(0) };
}

/// How often a target on this thread came to something that is valid.
pub fn accepted() -> u64 {
    ACCEPTED.get()
}

fn accept() {
    ACCEPTED.set(ACCEPTED.get() + 1);
}

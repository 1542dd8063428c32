//! Sessions, attacked: a scenario per file.

#![allow(clippy::unwrap_used, reason = "a test ends at a surprise")]

mod any_schedule;
mod chain_full;
mod cloned_state;
mod compromise;
mod flipped_bit;
mod header_far_ahead;
mod keys_expire;
mod known_answers;
mod low_order_key;
mod malformed_envelope;
mod place_is_hidden;
mod replay;
mod skipped_key_flood;
mod spliced_envelope;
mod stale_step;
mod store_format;

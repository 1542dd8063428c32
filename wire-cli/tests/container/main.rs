//! Containers through the command: a scenario per file.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test, and what it is helped by, ends at a surprise"
)]

mod rig;
#[path = "../agents/support/mod.rs"]
mod support;

mod documents;
mod files_are_copied;
mod gets_input;
mod gets_secrets;
mod has_a_terminal;
mod is_interrupted;
mod is_kept;
mod is_used_by_others;
mod outlives_nobody;
mod passes_output_and_code;
mod reader_leaves;
mod sees_my_folder;
mod text_is_escaped;
mod times_out;

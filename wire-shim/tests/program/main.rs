//! The program as it runs, told what to do over its standard input: a scenario per file.

#![cfg(feature = "bin")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a surprise fails the test")]

mod support;

mod attested_before_anything_runs;
mod bounds;
mod exec_exit_codes;
mod exec_kill_and_signal;
mod exec_timeout_kills_the_tree;
mod files_in_and_out;
mod first_process;
mod input_is_carried;
mod life_of_the_container;
mod nonsense_ends_only_its_connection;
mod output_overflow;
mod program_attacks_its_watcher;
mod reconnect;
mod same_id_twice_is_one_start;
mod secrets_are_delivered;
mod terminal;
mod tunnel_to_a_port;

//! Containers, a scenario per file. What measures this process itself is a program of its own beside this one.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test, and what it is helped by, ends at a surprise"
)]

#[cfg(feature = "docker")]
mod support;

mod fake_runtime;
mod nothing_dangerous;
mod readback;
mod refusals;
mod requests;
mod resolved;
mod seccomp_golden;

#[cfg(feature = "docker")]
mod attested_by_the_shim;
#[cfg(feature = "docker")]
mod attested_from_inside;
#[cfg(feature = "docker")]
mod caller_killed;
#[cfg(feature = "docker")]
mod caller_killed_while_making;
#[cfg(feature = "docker")]
mod changed_after_its_start;
#[cfg(feature = "docker")]
mod container_goes_away;
#[cfg(feature = "docker")]
mod docker_is_a_runtime;
#[cfg(feature = "docker")]
mod engine_away_for_long;
#[cfg(feature = "docker")]
mod engine_drops_a_limit;
#[cfg(feature = "docker")]
mod engine_keeps_a_name;
#[cfg(feature = "docker")]
mod engine_killed_while_making;
#[cfg(feature = "docker")]
mod engine_over_tcp;
#[cfg(feature = "docker")]
mod engine_restarted;
#[cfg(feature = "docker")]
mod engine_restarted_under_a_sandbox;
#[cfg(feature = "docker")]
mod engine_smoke;
#[cfg(feature = "docker")]
mod engine_that_is_refused;
#[cfg(feature = "docker")]
mod engine_that_sees_no_files_of_ours;
#[cfg(feature = "docker")]
mod engine_unreachable;
#[cfg(feature = "docker")]
mod events_with_gaps;
#[cfg(feature = "docker")]
mod files_move;
#[cfg(feature = "docker")]
mod fork_bomb_is_contained;
#[cfg(feature = "docker")]
mod limits_hold;
#[cfg(feature = "docker")]
mod loosened_on_the_engine;
#[cfg(feature = "docker")]
mod memory_runs_out;
#[cfg(feature = "docker")]
mod mount_of_the_host_refused;
#[cfg(feature = "docker")]
mod name_is_raced_for;
#[cfg(feature = "docker")]
mod path_stays_in_its_place;
#[cfg(feature = "docker")]
mod program_never_starts;
#[cfg(feature = "docker")]
mod program_runs;
#[cfg(feature = "docker")]
mod program_times_out;
#[cfg(feature = "docker")]
mod programs_run_under_the_profile;
#[cfg(feature = "docker")]
mod programs_without_end;
#[cfg(feature = "docker")]
mod reader_is_slow;
#[cfg(feature = "docker")]
mod relaxations_flip_their_rows;
#[cfg(feature = "docker")]
mod runtime_is_named;
#[cfg(feature = "docker")]
mod secret_leaves_no_trace;
#[cfg(feature = "docker")]
mod secrets_are_not_logged;
#[cfg(feature = "docker")]
mod shim_put_by_many_at_once;
#[cfg(feature = "docker")]
mod streams_that_break;
#[cfg(feature = "docker")]
mod sweep_of_a_stubborn_engine;
#[cfg(feature = "docker")]
mod sweepers_race;
#[cfg(feature = "docker")]
mod syscalls_on_the_engine;
#[cfg(feature = "docker")]
mod volume_is_new;

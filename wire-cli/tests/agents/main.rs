//! Agents through the command: a scenario per file.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod ask_gets_its_reply;
mod body_is_too_large;
mod cause_is_told;
mod code_is_unknown_or_expired;
mod code_is_used_twice;
#[cfg(target_os = "linux")]
mod demo_leaves_nothing_behind;
mod disk_is_full;
mod every_command_takes_json;
mod hostile_text_is_escaped;
mod invite_needs_no_common_moment;
mod key_is_replaced;
mod log_is_evidence;
mod log_tells_no_secret;
mod machine_is_lost;
mod mailbox_moves;
mod message_waits_for_who_is_off_line;
mod name_is_refused_in_time;
mod nobody_reads_the_output;
mod pairing_is_interrupted;
mod peer_is_revoked;
mod relay_is_killed_between_post_and_fetch;
mod relay_is_told_to_stop;
mod relay_is_unreachable;
mod relay_loses_its_mailboxes;
#[cfg(target_os = "linux")]
mod relay_process_tells_nothing;
mod session_is_reset;
mod store_is_damaged_or_newer;
mod third_claims_the_code;
mod two_homes_pair_and_talk;
mod watch_hands_on;
mod words_are_compared;
mod wrong_word_burns_the_code;

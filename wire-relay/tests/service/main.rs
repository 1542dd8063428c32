//! The relay, as its clients and its operator meet it: a scenario per file.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod agents;
mod common;
mod scripted;

mod acknowledged_post_survives_a_crash;
mod acknowledged_post_survives_a_restart;
mod agent_is_closed;
mod agents_talk;
mod asked_peer_is_gone;
mod clock_far_off_is_told_the_time;
mod code_cannot_be_had;
mod damaged_journal_is_noticed;
mod damaged_or_newer_store_is_refused;
mod effect_happens_once;
mod failed_store_acknowledges_nothing;
mod inbox_is_dropped_before_it_hands_out;
mod invite_leaves_no_mailbox;
mod invite_needs_no_common_moment;
mod join_needs_no_token_of_its_own;
mod logs_name_nobody;
mod long_poll_wakes_on_a_post;
mod pairing_survives_a_crash;
mod position_that_does_not_exist_is_stale;
mod quota_and_size_are_enforced;
mod relay_does_not_take_it_now;
mod relay_is_not_the_one_it_was;
mod relay_learns_nothing;
mod relay_of_the_code_serves_every_process;
mod relay_proves_its_key;
mod replayed_request_changes_nothing;
mod revoked_epoch_is_refused;
mod sender_cannot_read_or_delete;
mod service_runs_in_anothers_server;
mod session_is_reset;
mod silent_connection_is_closed;
mod slots_are_write_once_and_survive_a_restart;
mod stolen_disk_has_no_secret;
mod stranger_hears_one_answer;
mod stream_delivers_from_many_mailboxes_until_bye;
mod stream_window_opens_with_an_ack;
mod third_claimer_is_told_taken_and_the_first_contested;
mod two_relays_share_a_store;

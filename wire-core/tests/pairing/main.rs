//! Pairing, attacked: a scenario per file.

#![allow(clippy::unwrap_used, reason = "a test ends at a surprise")]

mod support;

mod agrees_with_an_independent_implementation;
mod any_flipped_byte;
mod any_order_of_messages;
mod associated_data_swapped;
mod confirmation_tampered;
mod crash_after_every_step;
mod hostile_relay_gets_one_guess_each;
mod invalid_point;
mod kem_tampered;
mod message_of_a_third_side;
mod misbound_offer;
mod mistyped_code;
mod offline_dictionary_finds_nothing;
mod reflected_share;
mod relay_in_the_middle;
mod relay_view_hides_the_words;
mod replay_of_an_old_run;
mod suite_downgraded;
mod then_both_talk;
mod with_oneself;
mod wrong_word_burns_both;

//! Two engines, envelopes carried by hand, one event per file.

mod harness;

mod acknowledgements_are_lost;
mod application_fails_five_times;
mod ask_is_answered;
mod claimer_dies;
mod code_is_used_twice;
mod deliveries_in_any_order;
mod disk_is_full;
mod envelope_comes_twice;
mod envelope_is_hostile;
mod envelope_is_lost;
mod envelope_is_unopenable;
mod envelopes_come_out_of_order;
mod field_is_out_of_bounds;
mod hello_comes_both_ways;
mod invite_is_over;
mod log_is_evidence;
mod message_goes_each_way;
mod name_is_taken;
mod pairing_is_never_completed;
mod peer_acknowledges_what_was_never_sent;
mod peer_is_revoked;
mod peer_signs_two_histories;
mod receiver_excepts;
mod relay_answers_a_post;
mod same_key_is_sent_again;
mod same_peer_pairs_again;
mod sends_share_a_batch;
mod several_claim;
mod store_is_damaged;
mod store_is_restored;
mod tables_have_grown;
mod transaction_breaks;
mod window_is_full;
mod words_are_to_be_compared;

//! The guards: each command that would weaken protection, reach every tenant or outlive a transaction is refused, and
//! its legitimate neighbour passes.

mod a_channel_is_declared;
mod arm_untested;
mod behind_our_back;
mod catalog_tells;
mod code_stays;
mod copy_unprotected;
mod ddl_in_tenant;
mod extensions_reach;
mod fence_removed;
mod folded; // what the next two work on
mod folded_beside_plans;
mod folded_for_the_next;
mod foreign_key_runs_code;
mod foreign_rows_sampled;
mod function_unjudged;
mod held_for_all;
mod hidden_shows_through;
mod lock_table_full;
mod locked_by_a_stranger;
mod maintenance_reaches_all;
mod next_on_the_connection;
mod one_of_three_is_taken;
mod outlives_the_transaction;
mod outside_policies;
mod partition_unfenced;
mod planted_in_a_role;
mod ready_before_entering;
mod rows_by_another_name;
mod sample_counts;
mod setting_given_away;
mod side_channels;
mod stands_in_front;
mod table_comes_back_open;
mod tools_are_refused;
mod trigger_in_c;
mod trigger_of_a_stranger;
mod truncate_takes_all;
mod uncovered_rows;
mod weakened_by_other_words;

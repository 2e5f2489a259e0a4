//! The guards: each command that would weaken protection, reach every tenant or outlive a transaction is refused, and
//! its legitimate neighbour passes.

mod arm_untested;
mod behind_our_back;
mod copy_unprotected;
mod ddl_in_tenant;
mod fence_removed;
mod foreign_key_runs_code;
mod outlives_the_transaction;
mod setting_given_away;
mod truncate_takes_all;

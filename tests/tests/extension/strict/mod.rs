//! A statement without a tenant: which paths refuse it, which rights do not get around it, what goes on working.

mod a_condition_counts_rows;
mod a_condition_runs_before_it;
mod a_foreign_key_runs_it;
mod a_path_around_it;
mod a_plan_changes_shape;
mod a_plan_loses_the_fence;
mod a_refusal_does_not_help;
mod a_refusal_tells_the_plan;
mod a_scan_is_not_looked_at;
mod a_shared_row_is_written;
mod a_worker_runs_it;
mod an_error_is_changed;
mod an_index_compares_otherwise;
mod borrowed_rights_bypass_it;
mod maintenance_breaks;

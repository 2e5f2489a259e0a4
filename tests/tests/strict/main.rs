//! A statement without a tenant: which paths refuse it, which rights do not get around it, what goes on working.

mod a_condition_runs_before_it;
mod a_foreign_key_runs_it;
mod a_path_around_it;
mod a_refusal_tells_the_plan;
mod a_worker_runs_it;
mod an_error_is_changed;
mod borrowed_rights_bypass_it;
mod maintenance_breaks;

//! Tenants that are set up in steps: taken by workers, tried again, undone, kept ready.

mod a_ready_tenant_is_given_twice;
mod a_step_runs_out_of_turn;
mod a_tenant_reads_of_it;
mod an_attempt_is_taken_twice;
mod fixture;
mod steps_are_malformed;
mod what_was_done_stays;

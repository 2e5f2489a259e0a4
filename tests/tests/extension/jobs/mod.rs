//! Jobs: queued in a tenant's transaction, claimed fairly, done once.

mod a_limit_is_passed;
mod a_schedule_fires_twice;
mod a_tenant_waits_behind_another;
mod a_turn_is_saved_for_later;
mod a_worker_sleeps_on;
mod an_answer_looks_at_others;
mod an_attempt_is_done_twice;
mod an_entry_is_left_out;
mod anothers_job_is_read;
mod everybody_is_killed;
mod fixture;
mod it_is_lost;
mod jobs_are_malformed;

//! Jobs: queued in a tenant's transaction, claimed fairly, done once.

mod a_schedule_fires_twice;
mod a_tenant_waits_behind_another;
mod an_attempt_is_done_twice;
mod anothers_job_is_read;
mod fixture;
mod it_is_lost;
mod jobs_are_malformed;

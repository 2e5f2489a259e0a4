//! Work that is done later, by somebody else.

use crate::row::Play::Test;
use crate::row::Stock::S;
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("L01", "T1", "B", S, "a job is queued for another tenant, or done in one",
        Test("extension/jobs/anothers_job_is_read.rs", "by_a_worker")).because("TN160, in that test"),
    row("L02", "T3", "B", S, "what another tenant's job says is read, or changed",
        Test("extension/jobs/anothers_job_is_read.rs", "by_the_application")).because("42501 and TN070, in that test"),
    row("L02", "T4", "B", S, "a worker or an operator reads what a job says outside of its tenant",
        Test("extension/jobs/anothers_job_is_read.rs", "by_its_error")).because("42501, in that test"),
    row("L02", "T4", "P", S, "a right to read everything shows what jobs say",
        Test("extension/jobs/an_entry_is_left_out.rs", "by_a_right_on_everything")),
    row("L03", "T1", "B", S, "a job is done twice: by two workers, or by one whose time is over",
        Test("extension/jobs/an_attempt_is_done_twice.rs", "by_one_whose_time_is_over")).because("TN160, in that test"),
    row("L04", "T3", "P", S, "a tenant's backlog has another one wait",
        Test("extension/jobs/a_tenant_waits_behind_another.rs", "with_a_backlog")),
    row("L05", "T3", "B", S, "the channel that wakes workers carries what a tenant says",
        Test("extension/jobs/a_worker_sleeps_on.rs", "or_hears_what_a_tenant_says")).because("TN063, in that test"),
    row("L06", "T4", "B", S, "a job of the system is read or done outside of its context",
        Test("extension/jobs/an_entry_is_left_out.rs", "of_the_system")).because("TN013 and TN160, in that test"),
];

//! Jobs that nobody does, and schedules that nobody looks at.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed(
        "T143",
        "jobs/t143",
        "insert into tenant.jobs (kind, lane, priority, state, max_attempts, run_at, payload, worker, lease_until) values ('t143', 'default', 0, 'running', 9, now(), '{}', 't143', now() - interval '1 hour')",
    ),
    by_hand(
        "T144",
        "jobs/t144",
        "insert into tenant.jobs (kind, lane, priority, state, max_attempts, run_at, payload, finished_at) values ('t144', 'default', 0, 'dead', 9, now(), '{}', now())",
        "select tenant.retry_job(id, 'the route is back') from tenant.jobs where kind = 't144'",
    ),
    by_hand(
        "T145",
        "jobs/t145/t145",
        "insert into tenant.jobs (kind, lane, priority, max_attempts, run_at, payload) values ('t145', 't145', 0, 9, now() - interval '2 hours', '{}')",
        "select tenant.claim_jobs('w', kinds => '{t145}')",
    ),
    by_hand(
        "T146",
        "tenant.schedules",
        "select tenant.define_schedule('t146', '0 3 * * *', 'system', 't146', reason => 'ticket 7')
         update tenant.schedules set changed_at = now() - interval '1 hour'",
        "select tenant.enable_schedule('t146', false, 'nobody needs it')",
    ),
    fixed(
        "T147",
        "schedules/t147",
        "select tenant.define_schedule('t147', '0 3 * * *', 'each_tenant', 't147')
         update tenant.schedules set firing = now() - interval '1 hour', fired_after = 'a', last_due = now() - interval '1 day' where name = 't147'",
    ),
];

#[tokio::test]
async fn a_worker_or_a_scheduler() {
    prove("jobs", CASES).await;
}

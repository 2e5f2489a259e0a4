//! Limits of tenants inside one pool: how much one tenant can take from the others.

mod a_greedy_tenant_starves_the_others;
mod a_limit_is_passed;
mod a_plan_is_out_of_date;
mod a_refusal_does_not_help;
mod a_report_keeps_requests_out;
mod a_statement_runs_on;
mod a_token_takes_anothers_share;
mod a_waiting_call_is_dropped;

/// The path to the server.
const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Direct;

#[path = "../client/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of the client")]
mod fixture;
#[path = "../client/proxy.rs"]
mod proxy;
#[path = "../signed/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of signed entry")]
mod signed;

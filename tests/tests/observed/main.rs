//! What is seen of a pool from outside: spans, metrics, baggage.

/// The path to the server.
const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Direct;

mod a_claim_becomes_a_tenant;
mod a_metric_is_missing;
mod a_span_tells_too_much;
mod a_step_goes_unseen;
mod metrics_grow_with_tenants;
mod recorded; // what spans and metrics said

#[path = "../client/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of the client")]
mod fixture;
#[path = "../signed/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of signed entry")]
mod signed;

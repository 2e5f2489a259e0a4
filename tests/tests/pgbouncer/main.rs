//! PgBouncer stands between the application and PostgreSQL, and mixes what must stay apart.
//!
//! Beside tests of its own, the client's, on each path through it. Not `broken_server`: while a server is away, and for a
//! second after, PgBouncer itself keeps clients waiting and refuses them; `restarted_server` has what the pools do then.
#![allow(clippy::duplicate_mod, reason = "the same tests on three paths")]

mod a_setting_leaks;
mod its_settings_are_dirt;
mod names_are_mixed_up;
mod the_probe_lies;

/// PgBouncer 1.18, `pool_mode = session`.
#[path = "../client"]
mod session {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Session;

    mod cut;
    mod fixture;
    mod proxy;
    mod sweep;

    mod bulk_write_crosses;
    mod cancelled_call;
    mod cancelled_flight;
    mod cancelled_lookup;
    mod cancelled_system;
    mod commit_lies;
    mod conflict_is_lost;
    mod dirty_session;
    mod lost_answer_runs_twice;
    mod one_flight_lies;
    mod pipeline_half_runs;
    mod refusals;
    mod restarted_server;
    mod round_trips;
    mod sqlx_cancelled_call;
    mod sqlx_shapes;
    mod system_left_behind;
    mod system_unasked;
}

/// PgBouncer 1.18, `pool_mode = transaction`.
#[path = "../client"]
mod transaction {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Transaction;

    mod cut;
    mod fixture;
    mod proxy;
    mod sweep;

    mod bulk_write_crosses;
    mod cancelled_call;
    mod cancelled_flight;
    mod cancelled_lookup;
    mod cancelled_system;
    mod commit_lies;
    mod conflict_is_lost;
    mod dirty_session;
    mod lost_answer_runs_twice;
    mod one_flight_lies;
    mod pipeline_half_runs;
    mod refusals;
    mod restarted_server;
    mod round_trips;
    mod sqlx_cancelled_call;
    mod sqlx_shapes;
    mod system_left_behind;
    mod system_unasked;
}

/// PgBouncer 1.24, `pool_mode = transaction`, `max_prepared_statements = 200`.
#[path = "../client"]
mod transaction_prepared {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::TransactionPrepared;

    mod cut;
    mod fixture;
    mod proxy;
    mod sweep;

    mod bulk_write_crosses;
    mod cancelled_call;
    mod cancelled_flight;
    mod cancelled_lookup;
    mod cancelled_system;
    mod commit_lies;
    mod conflict_is_lost;
    mod dirty_session;
    mod lost_answer_runs_twice;
    mod one_flight_lies;
    mod pipeline_half_runs;
    mod refusals;
    mod restarted_server;
    mod round_trips;
    mod sqlx_cancelled_call;
    mod sqlx_shapes;
    mod system_left_behind;
    mod system_unasked;
}

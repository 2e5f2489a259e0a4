//! Tenants stay apart behind PgBouncer, which gives a server connection to one client after another.
//!
//! Beside tests of its own, the client's, on each path through it. Which of them that is,
//! `client/through_pgbouncer.list` says: it is made of the files of `client/`, see `a_module_is_left_out`.
#![allow(clippy::duplicate_mod, reason = "the same tests on three paths")]

mod a_module_is_left_out;
mod a_setting_leaks;
mod its_settings_are_dirt;
mod names_are_mixed_up;
mod the_probe_lies;

/// PgBouncer 1.18, `pool_mode = session`.
mod session {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Session;
    include!("../client/through_pgbouncer.list");
}

/// PgBouncer 1.18, `pool_mode = transaction`.
mod transaction {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::Transaction;
    include!("../client/through_pgbouncer.list");
}

/// PgBouncer 1.24, `pool_mode = transaction`, `max_prepared_statements = 200`.
mod transaction_prepared {
    const ROUTE: pg_tenant_tests::Route = pg_tenant_tests::Route::TransactionPrepared;
    include!("../client/through_pgbouncer.list");
}

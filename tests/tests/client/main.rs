//! The Rust client against real servers: what holds after dropped calls, on dirty sessions and with broken servers.
//!
//! A new module runs through PgBouncer too, or says why not: see `pgbouncer/a_module_is_left_out.rs`.

use pg_tenant_tests::Route;

/// The path to the server. The binary `pgbouncer` runs the same tests on the others.
const ROUTE: Route = Route::Direct;

mod cut; // a wire that breaks in the middle of an answer
mod farewell; // a server that says goodbye where a transaction begins
mod fixture; // tenants, a table, pools
mod proxy; // a wire that is slow and counts
mod sweep; // poll a call i times, drop it, look

mod a_later_statement_is_sent_again;
mod a_migration_fails_calls;
mod a_replica_is_out_of_date;
mod a_report_is_untold;
mod actor_is_lost;
mod away_server_is_waited_for;
mod broken_server;
mod bulk_write_crosses;
mod bulk_write_of_any_type;
mod call_not_swept;
mod cancelled_call;
mod cancelled_flight;
mod cancelled_lookup;
mod cancelled_stream;
mod cancelled_system;
mod cancels_where_it_is_connected;
mod commit_lies;
mod conflict_is_lost;
mod connections_end_in_time;
mod credentials_are_asked_anew;
mod dirty_session;
mod drained_pool;
mod error_fields_are_told;
mod errors_tell_what_happened;
mod examples_rot;
mod generation_is_missed;
mod lent_connections_are_told;
mod listener_mishears;
mod lost_answer_runs_twice;
mod one_flight_lies;
mod open_feature_is_misled;
mod parameters_that_do_not_fit;
mod pipeline_half_runs;
mod refusals;
mod repository_is_written_twice;
mod request_is_not_named;
mod restarted_server;
mod round_trips;
mod secret_of_another;
mod sqlx_cancelled_call;
mod sqlx_macros;
mod sqlx_shapes;
mod stream_without_begin;
mod support_goes_on;
mod system_left_behind;
mod system_unasked;
mod tenants_are_made;
mod tenants_are_made_over_sqlx;

//! PostgreSQL's planner trips over a path that it has freed itself, and says so with an internal error.
//!
//! `grouping_planner` offers a subquery's partial paths to its final relation, which frees those that the other ones
//! dominate there, though a Gather built before still leads to them. Costs decide, and so all tenants' statistics. On
//! PostgreSQL 18.6 without any library:
//!
//! ```sql
//! create table t (a int primary key, b int);
//! insert into t select i, i from generate_series(1, 100000) i;
//! vacuum analyze t;
//! create function slow(int) returns int language plpgsql immutable parallel safe cost 1000 as 'begin return $1; end';
//! set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
//! set min_parallel_index_scan_size = 0;
//! explain select a, slow(b) from t where a < 50000 except select 1, 1;
//! -- ERROR:  XX000: variable not found in subplan target list
//! ```
//!
//! One program in some hundred thousand meets it: it is rolled back in both worlds, counted, and not compared.

use tokio_postgres::error::{DbError, SqlState};

/// Where paths become plans. The error is whatever the memory holds by then.
const SOURCES: [&str; 3] = ["createplan.c", "setrefs.c", "subselect.c"];

/// Whether the planner says that of its paths.
pub fn is(error: &DbError) -> bool {
    *error.code() == SqlState::INTERNAL_ERROR && error.file().is_some_and(|file| SOURCES.contains(&file))
}

//! Commands that read or change every tenant's rows without the executor, and what outlives them.

use crate::row::Play::Test;
use crate::row::Stock::{S, V};
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("K01", "T3", "B", V, "VACUUM, ANALYZE, CLUSTER, REINDEX without a name count every tenant's rows",
        Test("extension/guards/maintenance_reaches_all.rs", "without_a_name_by_a_bound_login"))
    .because("TN032, in that test"),
    row("K02", "T2", "B", V, "a foreign key, statistics or a sequence changed inside a tenant reach all",
        Test("extension/guards/maintenance_reaches_all.rs", "what_all_use_is_redefined"))
    .because("TN032, in that test"),
    row("K03", "T2", "B", S, "a publication made inside a tenant sends every tenant's rows",
        Test("extension/guards/maintenance_reaches_all.rs", "rows_of_all_are_published"))
    .because("TN032, in that test"),
    row("K04", "T1", "B", V, "REFRESH inside a tenant fills a view that the others read",
        Test("extension/guards/maintenance_reaches_all.rs", "a_shared_view_is_filled_with_ones_own_rows"))
    .because("TN027, in that test"),
    row("K05", "T1", "B", V, "LOCK TABLE by whoever may write holds up every tenant",
        Test("extension/guards/locked_by_a_stranger.rs", "in_any_transaction"))
    .because("TN033, in that test"),
    row("K06", "T0", "B", S, "the tenant column's NOT NULL goes as a named constraint (18)",
        Test("extension/guards/weakened_by_other_words.rs", "the_tenant_column_becomes_null"))
    .because("TN030, in that test"),
    row("K07", "T2", "B", V, "a function made inside one tenant is called by the next",
        Test("extension/guards/code_stays.rs", "for_the_next_tenant"))
    .because("TN036, in that test"),
    row("K07b", "T2", "B", V, "a view and a rule made inside one tenant take what the next writes",
        Test("extension/guards/code_stays.rs", "in_a_relation"))
    .because("TN036, in that test"),
    row("K08", "T3", "BR", V, "a trigger in C of contrib notifies on any channel",
        Test("extension/guards/trigger_in_c.rs", "speaks_for_whoever_has_put_it_there"))
    .because("TN063 and TN064, in that test")
    .finds(&["T108"]),
    row("K09", "T3", "B", S, "a function of PostgreSQL or of contrib that nobody has judged",
        Test("extension/guards/function_unjudged.rs", "of_contrib"))
    .because("TN062, TN063 and TN064; a test fails for one that is not judged"),
    row("K10", "T3", "B", V, "a method of TABLESAMPLE counts rows before the fence does",
        Test("extension/guards/sample_counts.rs", "rows_of_everybody"))
    .because("TN062 and TN001, in that test"),
];

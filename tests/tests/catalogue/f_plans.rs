//! The planner takes the policy out of the plan, or behind a condition of the statement's own.

use crate::row::Play::{Listed, Test};
use crate::row::Stock::{F, V};
use crate::row::{Row, row};

const FENCE: &str =
    "closed by construction: the policy is a function of the column as well, which the planner cannot lose";

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("F00", "T3", "BP", V, "a bound role's condition implies the policy, and changes",
        Listed("the policy is implied by a condition that changes"))
    .because(FENCE),
    row("F00", "T3", "BP", V, "the same condition deletes", Listed("DELETE by a condition that changes")).because(FENCE),
    row("F00", "T1", "BP", V, "the same in one injected SELECT", Listed("a condition that changes, in one injected SELECT"))
    .because(FENCE),
    row("F01", "T3", "BP", V, "a cheap condition without columns runs for every tenant's rows",
        Test("extension/strict/a_condition_counts_rows.rs", "by_how_often_it_runs")).because(FENCE),
    row("F04", "T3", "BP", V, "a leakproof condition runs before the tenant's, which is dear: it tells a value",
        Test("extension/strict/a_condition_counts_rows.rs", "by_how_often_it_runs")).because(FENCE),
    row("F00l", "T3", "BP", V, "an equality of another column is taken for the fence",
        Test("extension/strict/a_condition_counts_rows.rs", "by_how_often_it_runs")).because(FENCE),
    row("F00i", "T3", "BP", V, "an index asks its condition or distance again, of every tenant's rows",
        Test("extension/strict/a_condition_counts_rows.rs", "by_what_an_index_asks_again")).because(FENCE),
    row("F00c", "T3", "BP", F, "an index under another collation takes two tenants for one",
        Test("extension/strict/an_index_compares_otherwise.rs", "that_takes_two_for_one")).because(FENCE),
    row("F02", "T3", "BP", V, "a MERGE that reads no column visits every tenant's rows",
        Test("extension/strict/borrowed_rights_bypass_it.rs", "in_the_condition_of_a_merge")).because("TN011 and TN018, in the tests"),
    row("F30", "T2", "B", V, "an owner adds a second fence, then drops the column of the first",
        Test("extension/protect/a_second_fence.rs", "takes_the_first_ones_guard")).because("TN030, in that test"),
];

//! The planner takes the policy out of the plan, or behind a condition of the statement's own.

use crate::row::Play::Listed;
use crate::row::Stock::V;
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
];

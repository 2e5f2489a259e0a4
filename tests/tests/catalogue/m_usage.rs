//! What tenants use, and their limits on it.

use crate::row::Play::Test;
use crate::row::Stock::S;
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("M01", "T3", "B", S, "another tenant's usage is read or charged, or one's own limit raised",
        Test("extension/usage/another_is_charged.rs", "or_seen")).because("42501, in that test"),
    row("M02", "T1", "B", S, "a limit is passed by transactions that consume at once, roll back or are killed",
        Test("extension/usage/a_quota_is_passed.rs", "in_a_storm")).because("TN171, in that test"),
    row("M03", "T1", "B", S, "more rows than the limit come by statements at once, COPY, a partition or with triggers off",
        Test("extension/usage/a_row_is_not_counted.rs", "by_operators")).because("TN171, in that test"),
    row("M04", "T4", "R", S, "the triggers that count a table's rows are gone or disabled",
        Test("doctor/a_limit_is_passed.rs", "and_nobody_notices")).finds(&["T149"]),
];

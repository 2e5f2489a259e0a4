//! Sealed columns, and the keys of tenants that open them.

use crate::row::Play::Test;
use crate::row::Stock::S;
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("O01", "T3", "B", S, "a sealed value is opened in another tenant's row",
        Test("keys/a_value_opens_elsewhere.rs", "in_another_tenant")).because("it does not open, in that test"),
    row("O02", "T3", "B", S, "another tenant's data keys are read, or replaced",
        Test("keys/a_value_opens_elsewhere.rs", "by_its_wrapped_key")).because("42501, in that test"),
    row("O03", "T4", "B", S, "what a tenant that has left had sealed is read out of an old backup",
        Test("keys/a_key_comes_back.rs", "by_a_backup")).because("it does not open, in that test"),
    row("O04", "T4", "R", S, "plain text stands in a column that was declared sealed, or an index on it",
        Test("doctor/a_column_is_not_sealed.rs", "though_it_was_declared")).finds(&["T155", "T156"]),
];

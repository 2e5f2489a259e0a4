//! What payment providers say of tenants.

use crate::row::Play::Test;
use crate::row::Stock::S;
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("N01", "T4", "B", S, "a payment provider's event counts twice, or by when it came",
        Test("extension/billing/an_event_counts_twice.rs", "or_in_the_order_of_arrival")).because("TN177, in that test"),
    row("N02", "T3", "B", S, "another tenant's subscription is read, or one's own changed",
        Test("extension/billing/another_is_billed.rs", "or_reads_of_it")).because("42501, in that test"),
    row("N03", "T4", "B", S, "a webhook takes what no payment provider has sent",
        Test("edge/a_webhook_is_forged.rs", "by_somebody_else")).because("status 400, in that test"),
    row("N04", "T4", "BR", S, "a plan that nobody has defined is given, since a provider names it",
        Test("extension/billing/a_plan_is_not_there.rs", "and_is_given")).because("the plan before, in that test").finds(&["T157"]),
    row("N05", "T4", "B", S, "a tenant that an operator has suspended works again, since it has paid",
        Test("extension/billing/an_operator_is_overruled.rs", "who_has_suspended_it")).because("it stays suspended, in that test"),
];

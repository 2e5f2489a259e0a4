//! Support, which enters tenants by grants.

use crate::row::Play::Test;
use crate::row::Stock::S;
use crate::row::{Row, row};

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    row("C40", "T4", "B", S, "support enters a tenant by another's grant, or before its own is committed",
        Test("extension/impersonation/a_stranger_is_let_in.rs", "by_anothers_id")).because("TN158, in that test"),
    row("C41", "T4", "B", S, "support goes on in a tenant after its grant has ended",
        Test("extension/impersonation/it_goes_on_after_its_end.rs", "when_it_was_ended")).because("TN159, in that test"),
    row("C42", "T4", "B", S, "support that was let in for reading writes",
        Test("extension/impersonation/it_writes_unasked.rs", "with_one_for_reading")).because("25006 and TN009, in that test"),
    row("C43", "T4", "BR", S, "one person of support decides alone where two are to",
        Test("extension/impersonation/one_person_decides.rs", "alone")).because("TN158, in that test").finds(&["T140"]),
    row("A28", "T4", "R", S, "support has standing access beside its grants",
        Test("doctor/a_defect_is_missed.rs", "a_role_or_a_right")).finds(&["T139"]),
];

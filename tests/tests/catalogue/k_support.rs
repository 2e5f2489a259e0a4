//! Support, which enters tenants by grants, and reports, which read across them.

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
    row("C44", "T4", "B", S, "a login for reports writes, or enters a tenant",
        Test("extension/system/a_report_does_more.rs", "than_read_them_all")).because("TN013, 25006, TN015 and 42501, in that test"),
    row("C45", "T4", "D", S, "a report on a standby stands in no journal",
        Test("extension/system/a_report_does_more.rs", "than_the_journal_says")).admitted("nothing makes the operator import it"),
];

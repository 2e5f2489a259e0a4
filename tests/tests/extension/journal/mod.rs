//! The journal: who reads it, who changes it, what its lines say, and how a change of it shows.

use std::time::Duration;

use pg_tenant_tests::Session;

mod a_change_is_not_told;
mod a_line_is_changed;
mod a_line_says_too_little;
mod a_month_is_removed;
mod a_month_makes_writers_wait;
mod a_refusal_is_forgotten;
mod a_seal_is_broken;
mod a_sealer_makes_writers_wait;
mod a_value_is_written_otherwise;
mod an_export_cannot_be_verified;
mod another_tenants_line_is_read;
mod rows_are_paired_wrongly;

/// Seals every line. Transactions of other tests on the same server run, so a line may have to wait.
async fn seal(session: &Session) {
    let left = "select exists (select from tenant.journal_sealings) and not tenant_internal.has_unsealed('infinity')";
    for _ in 0..3000 {
        session.run("select tenant.seal_journal()").await;
        if session.value(left).await.as_deref() == Some("t") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("lines are not settled");
}

//! Why a tenant that is registered is not entered: its state, and until when.

use crate::pg::registry_row::{self, StatusDetail};
use crate::pg::report::Report;
use pg_tenant_core::{Refusal, TenantId, TenantStatus};

/// The refusal of entering a tenant in this state.
pub fn refusal(id: &TenantId, status: TenantStatus) -> Report {
    let told = registry_row::table().map(|table| registry_row::status_detail(table, id)).unwrap_or_default();
    match status {
        TenantStatus::Provisioning => Report::new(Refusal::TenantNotReady, format!("tenant \"{id}\" is not ready yet"))
            .detail(provisioning(&told))
            .hint("Try again in a moment. Until then members of tenant_admin alone enter it."),
        TenantStatus::Offboarding => Report::new(Refusal::TenantLeaving, format!("tenant \"{id}\" is leaving"))
            .detail(match told.purge_after {
                Some(date) => format!("Its rows are purged after {date}."),
                None => "No date is set for the purge of its rows.".into(),
            })
            .hint(format!("An administrator keeps it with select tenant.keep('{id}', '<reason>');")),
        TenantStatus::Purged => Report::new(Refusal::TenantPurged, format!("tenant \"{id}\" was purged"))
            .detail(since("Its rows are gone", &told))
            .hint("Its id is not given again: register a new tenant with another id."),
        TenantStatus::Unknown => not_active(id, "The tenant is in a state that this version does not know.".into())
            .hint("Install the version of pg_tenant that the schema is of, and restart the server."),
        _ => not_active(id, format!("The tenant is {status}."))
            .hint(format!("An administrator resumes it with select tenant.resume('{id}').")),
    }
}

fn not_active(id: &TenantId, detail: String) -> Report {
    Report::new(Refusal::TenantNotActive, format!("tenant \"{id}\" is not active")).detail(detail)
}

fn provisioning(told: &StatusDetail) -> String {
    let step = told.detail.as_ref().map_or_else(String::new, |step| format!(", at step {step}"));
    since(&format!("It is being set up{step}"), told)
}

fn since(fact: &str, told: &StatusDetail) -> String {
    match &told.since {
        Some(since) => format!("{fact}, since {since}."),
        None => format!("{fact}."),
    }
}

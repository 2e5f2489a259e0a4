//! Our settings, given away or stored for others. They are the cluster's: guarded in every database.

use crate::gucs;
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::Refusal;

pub fn grant_on_parameter(parameters: &[String]) -> Outcome<()> {
    let ours = |name: &&String| name.to_ascii_lowercase().starts_with("pg_tenant.");
    match parameters.iter().find(ours).filter(|_| gucs::guards()) {
        Some(parameter) => Err(Report::new(Refusal::SettingRefused, format!("cannot grant a right on {parameter}"))
            .detail("Whoever may set it chooses a tenant, or turns the guards off.")
            .hint("Bind a role to a tenant with tenant.bind_role(); enter one with tenant.enter().")),
        None => Ok(()),
    }
}

pub fn store_setting(parameter: &str, of: &str) -> Outcome<()> {
    if !gucs::guards() || !parameter.eq_ignore_ascii_case("pg_tenant.id") {
        return Ok(());
    }
    Err(Report::new(Refusal::SettingRefused, format!("cannot store pg_tenant.id for {of}"))
        .detail("A session would begin in a tenant without the checks of tenant.bind_role().")
        .hint("select tenant.bind_role('<role>', '<tenant id>');"))
}

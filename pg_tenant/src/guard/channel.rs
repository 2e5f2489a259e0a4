//! NOTIFY inside a tenant. On the channels of the tenant anything may be sent; on channels that an administrator has
//! declared, an empty payload or the id of the tenant; on all other channels nothing.

use crate::context::current;
use crate::gucs;
use crate::pg::channel_row::{self, Payload};
use crate::pg::notify::{self, Sent};
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::Refusal;

/// Wakes workers that claim jobs (`sql/schema/work/jobs/`). Every tenant may, since nothing is said on it.
const JOBS: &str = "pg_tenant_jobs";

/// Whether a call of `pg_notify` is looked at: inside a tenant, unless our own function made it.
pub fn is_judged() -> bool {
    current::is_set() && gucs::guards()
}

/// What is sent on this channel instead of the given payload. Refuses (`TN063`) a channel that is neither the tenant's
/// own nor declared.
pub fn judge(channel: &str) -> Outcome<Sent> {
    if notify::is_own(current::tenant(), channel) {
        return Ok(Sent::AsGiven);
    }
    if channel == JOBS {
        return Ok(Sent::Nothing);
    }
    match channel_row::find(channel) {
        Some(Payload::None) => Ok(Sent::Nothing),
        Some(Payload::Tenant) => Ok(Sent::Tenant(current::tenant())),
        None => Err(shared_name_refused(channel)),
    }
}

/// Judges the command, whose payload stays what it is.
pub fn judge_command(channel: &str, has_payload: bool) -> Outcome<()> {
    match judge(channel)? {
        Sent::AsGiven => Ok(()),
        Sent::Nothing | Sent::Tenant(_) if !has_payload => Ok(()),
        Sent::Nothing | Sent::Tenant(_) => Err(Report::new(
            Refusal::SharedNameRefused,
            format!("NOTIFY \"{channel}\" with a payload is refused in a tenant's transaction"),
        )
        .detail("The channel is every tenant's: whoever listens would hear what this one writes.")
        .hint(
            "Leave the payload out, or call pg_notify(), which sends what was declared with tenant.allow_channel().",
        )),
    }
}

fn shared_name_refused(channel: &str) -> Report {
    Report::new(Refusal::SharedNameRefused, format!("NOTIFY \"{channel}\" is refused in a tenant's transaction"))
        .detail("The channel is every tenant's: whoever listens would hear what this one writes.")
        .hint(
            "Use tenant.notify(), whose names are the tenant's own. An administrator lets all tenants wake who listens: \
             select tenant.allow_channel('<channel>', '<reason>');",
        )
}

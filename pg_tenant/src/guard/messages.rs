//! Messages of the server at the levels LOG and DEBUG, which a session can have sent to its client: among them are
//! whole plans with row estimates of all tenants (`debug_print_plan`, auto_explain).
//!
//! Checked after each command and each run, since either may have set the level or entered a tenant, and auto_explain
//! writes its message later, when the executor ends. Checked also before a statement is planned, since an expression
//! may have set the level and `debug_print_plan` writes its message then.

use crate::context::current;
use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, server};
use pg_tenant_core::Refusal;

/// Whether there is something to judge: a tenant, and a client that hears such messages.
pub fn are_heard() -> bool {
    current::is_set() && server::log_reaches_client()
}

/// Refuses a statement of a tenant's transaction where they are heard.
pub fn judge() -> Outcome<()> {
    if !are_heard() || gucs::side_channels_allowed() || !extension::is_installed() {
        return Ok(());
    }
    Err(Report::new(
        Refusal::SideChannelRefused,
        "client_min_messages below notice is refused in a tenant's transaction",
    )
    .detail("The server's log would go to the client, with plans and their estimates of every tenant's rows.")
    .hint("Leave it at notice: set client_min_messages = notice; A superuser allows it to a role: alter role ... set pg_tenant.side_channels = allow;"))
}

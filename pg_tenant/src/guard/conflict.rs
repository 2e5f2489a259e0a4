//! INSERT … ON CONFLICT DO UPDATE … WHERE, whose condition PostgreSQL evaluates before the policies: the plan asks here
//! first ([`crate::pg::plans`]).

use crate::pg::report::{Outcome, Report};
use crate::pg::role;
use pg_tenant_core::Refusal;

/// Whether the row that an INSERT … ON CONFLICT meets may be looked at: it is the current tenant's, or policies do not
/// apply to the role.
pub fn own_row(is_own: bool) -> Outcome<bool> {
    if is_own || role::bypasses_row_security(role::current_user()) {
        return Ok(true);
    }
    Err(Report::new(Refusal::RowOfAnotherTenant, "the row to insert conflicts with one that the policies hide")
        .detail("A unique key without the tenant column makes rows of different tenants conflict.")
        .hint("Begin the unique key with the tenant column: select * from tenant.hardening('<table>');"))
}

//! TRUNCATE, to which row-level security does not apply. The object-access hook also sees the tables that CASCADE
//! reaches.

use crate::context::{current, system};
use crate::guard::executor::Verdict;
use crate::guard::exempt;
use crate::guard::held;
use crate::gucs::{self, Strict};
use crate::pg::report::{Outcome, Report};
use crate::pg::{relation, role};
use crate::policy::protection::{self, Gap, Protection};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// Judges the truncation of one table.
pub fn judge(table: Oid) -> Outcome<Verdict> {
    match protection::of(table) {
        Protection::None => return Ok(Verdict::Pass),
        Protection::Broken(Gap::Lost(_)) if exempt::may_mend(role::current_user(), table) => {
            return Ok(Verdict::Pass);
        }
        Protection::Held(what) => return held::judge(table, what, role::current_user()).map(|()| Verdict::Pass),
        _ => {}
    }
    if let Some(context) = current::system() {
        return system::judge(context, table, role::current_user(), true, relation::name).map(|()| Verdict::Pass);
    }
    let none = current::tenant().is_none();
    if none && gucs::test_mode() && role::owns(role::current_user(), table) {
        return Ok(Verdict::Pass);
    }
    if none && exempt::is_exempt(role::current_user()) {
        return Ok(Verdict::Pass);
    }
    let name = relation::name(table);
    let refusal = Report::new(Refusal::TruncateRefused, format!("cannot truncate protected table {name}"))
        .detail("TRUNCATE removes the rows of every tenant; policies do not apply to it.")
        .hint(
            "Delete the tenant's own rows with DELETE. A superuser with no tenant entered may truncate, and so may a system \
             context that writes.",
        );
    match gucs::strict() {
        Strict::log if none => Ok(Verdict::Warn(refusal)),
        Strict::off if none => Ok(Verdict::Pass),
        _ => Err(refusal),
    }
}

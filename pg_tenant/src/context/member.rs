//! What policies ask of the member who acts ([`crate::context::acting`]). In the system context, with no tenant and
//! with no actor there is none, who may nothing.

use crate::context::{acting, current, identity};
use crate::people::{self, MAX_NAME};
use crate::pg::report::{Outcome, Report};
use crate::row_function;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Datum;

fn may(number: Option<i32>) -> bool {
    let number = number.and_then(|number| u16::try_from(number).ok());
    number.is_some_and(|number| acting::member().is_some_and(|member| member.permissions.has(number)))
}

fn permission(name: &str, fixed: bool) -> Outcome<Option<i32>> {
    match people::permission(name) {
        None if fixed => Err(unknown_permission(name)),
        found => Ok(found.map(i32::from)),
    }
}

fn rank(name: &str, fixed: bool) -> Outcome<Option<i32>> {
    match people::rank(name) {
        None if fixed => Err(unknown_role(name)),
        found => Ok(found),
    }
}

/// Refuses (`TN142`) an actor without the permission.
pub fn require(name: &str) -> Outcome<()> {
    let number = permission(name, true)?;
    if may(number) { Ok(()) } else { Err(permission_required(name)) }
}

row_function!(pg_tenant_can, pg_finfo_pg_tenant_can, |call| {
    Some(Datum::from(may(call.find(people::epoch, permission))))
});
row_function!(pg_tenant_require, pg_finfo_pg_tenant_require, |call| {
    if may(call.find(people::epoch, permission)) { Some(Datum::from(true)) } else { call.refuse(permission_required) }
});
row_function!(pg_tenant_has_role, pg_finfo_pg_tenant_has_role, |call| {
    let asked = call.find(people::epoch, rank);
    Some(Datum::from(asked.is_some_and(|rank| acting::member().is_some_and(|member| member.rank >= rank))))
});
row_function!(pg_tenant_current_member_role, pg_finfo_pg_tenant_current_member_role, |call| {
    acting::member().map(|member| call.copy(acting::written(), || member.role))
});

fn permission_required(name: &str) -> Report {
    let detail = match (current::tenant(), identity::actor(), acting::member()) {
        (Some(id), Some(actor), Some(member)) => {
            let role = String::from_utf8_lossy(member.role.bytes()).into_owned();
            format!("Actor \"{actor}\" is a member of tenant \"{id}\" as {role}, which has not got it.")
        }
        (Some(id), Some(actor), None) => format!("Actor \"{actor}\" is no active member of tenant \"{id}\"."),
        (Some(_), None, _) => "The tenant was entered for no actor.".into(),
        (None, ..) => "The transaction has not entered a tenant.".into(),
    };
    Report::new(Refusal::PermissionRequired, format!("permission \"{}\" is required", shown(name)))
        .detail(detail)
        .hint("A member who may gives the actor another role: select tenant.set_member_role(...); tenant.defined_roles says what each may.")
}

fn unknown_permission(name: &str) -> Report {
    Report::new(Refusal::UnknownPermission, format!("there is no permission \"{}\"", shown(name)))
        .detail("No role was ever defined with it.")
        .hint(
            "Mind the spelling; define a role with it: select tenant.define_role('<role>', <rank>, '{<permission>}');",
        )
}

fn unknown_role(name: &str) -> Report {
    Report::new(Refusal::UnknownRole, format!("there is no role \"{}\"", shown(name)))
        .detail("It is not in tenant.roles.")
        .hint("Mind the spelling; define it: select tenant.define_role('<role>', <rank>, '{<permission>}');")
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// TN140: the role's tenants are entered by members only.
pub fn member_required(tenant: &str, why: &str) -> Report {
    Report::new(Refusal::MemberRequired, format!("tenant \"{tenant}\" is entered by its active members only"))
        .detail(why)
        .hint("Name the actor: select tenant.enter('<id>', '<actor>'); an administrator adds one with tenant.add_member(...).")
}

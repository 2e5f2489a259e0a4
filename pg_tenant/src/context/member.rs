//! As what the actor is in the tenant: the setting `pg_tenant.member`, written with the tenant and ending with it as
//! `pg_tenant.id` does ([`crate::pg::own_setting`]), and what policies ask of it. In the system context, with no tenant and
//! with no actor there is no member, who may nothing.

use crate::context::{current, identity};
use crate::people::{self, Bits, MAX_NAME, Role};
use crate::pg::backend_cell::BackendCell;
use crate::pg::own_setting::{self, Check, OwnSetting, Parsed, Text};
use crate::pg::report::{Outcome, Report};
use crate::pg::row_function::TextDatum;
use crate::pg::setting;
use crate::row_function;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{Datum, GucSource};
use std::ffi::CStr;

/// Who acts: rank and permissions of a role, and its name.
#[derive(Clone, Copy)]
struct Member {
    rank: i32,
    permissions: Bits,
    role: TextDatum<MAX_NAME>,
}

static NOW: BackendCell<Option<Member>> = BackendCell::new(None);
/// How often it was written: tells whether a copy is still true.
static WRITTEN: BackendCell<u64> = BackendCell::new(0);
static TEXT: Text = Text::new();
/// Whether [`set`] is writing at this moment: no other value is taken.
static WRITING: BackendCell<bool> = BackendCell::new(false);

impl Parsed for Member {
    /// `<rank> <permissions> <role>`: a parallel worker is given its leader's.
    fn parse(value: &CStr, source: GucSource::Type) -> Check<Self> {
        let ours = WRITING.get() && source == GucSource::PGC_S_SESSION;
        let parsed = value.to_str().ok().filter(|_| ours || own_setting::is_given_by_leader()).and_then(|text| {
            let mut parts = text.splitn(3, ' ');
            let rank = parts.next()?.parse().ok()?;
            let permissions = Bits::from_text(parts.next()?)?;
            let role = parts.next().filter(|role| role.len() <= MAX_NAME)?;
            Some(Member { rank, permissions, role: TextDatum::new(role.as_bytes()) })
        });
        parsed
            .map_or(Check::Refused(Some(c"Enter with tenant.enter(id, actor) or tenant.enter_signed().")), Check::Taken)
    }

    fn assign(value: Option<Self>) {
        NOW.set(value);
        WRITTEN.set(WRITTEN.get() + 1);
    }
}

/// Declares the setting.
pub fn init() {
    own_setting::declare::<Member>(OwnSetting {
        name: c"pg_tenant.member",
        description: c"As what the actor is a member of the tenant: rank, permissions, role.",
        written_by: c"Written by tenant.enter(id, actor) and tenant.enter_signed() only.",
        text: &TEXT,
        show: None,
    });
}

/// The actor acts in this role, until the transaction or the savepoint it stands in ends.
pub fn set(role: &Role) {
    let text = format!("{} {} {}", role.rank, role.permissions.to_text(), role.name);
    // Should set_local raise, WRITING stays set until the transaction ends: as in context/identity.rs.
    WRITING.set(true);
    setting::set_local("pg_tenant.member", &text);
    WRITING.set(false);
}

/// The transaction has ended, whatever the stack of settings does after this.
pub fn clear() {
    NOW.set(None);
    WRITTEN.set(WRITTEN.get() + 1);
    WRITING.set(false);
}

fn may(number: Option<i32>) -> bool {
    let number = number.and_then(|number| u16::try_from(number).ok());
    number.is_some_and(|number| NOW.get().is_some_and(|member| member.permissions.has(number)))
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
    Some(Datum::from(asked.is_some_and(|rank| NOW.get().is_some_and(|member| member.rank >= rank))))
});
row_function!(pg_tenant_current_member_role, pg_finfo_pg_tenant_current_member_role, |call| {
    NOW.get().map(|member| call.copy(WRITTEN.get(), || member.role))
});

fn permission_required(name: &str) -> Report {
    let detail = match (current::tenant(), identity::actor(), NOW.get()) {
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

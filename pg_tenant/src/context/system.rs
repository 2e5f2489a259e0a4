//! The system context: the one way across tenants for a role that is not a superuser.
//!
//! It is the role `tenant_system`, whose BYPASSRLS shows every row, together with a value of `pg_tenant.id` that only
//! [`take`] writes. Both are local to the transaction and stand on PostgreSQL's stack of settings, so whatever undoes
//! one undoes the other. Neither is enough by itself: the role without the context has no tenant, and in the context
//! every other user is refused.

use crate::context::{current, owner};
use crate::pg::report::{Outcome, Report};
use crate::pg::{role, setting, transaction};
use pg_tenant_core::{Refusal, SystemContext};
use pgrx::pg_sys::Oid;

/// The role of the system context.
pub const ROLE: &str = "tenant_system";
/// The role of the system context for those who may only read: for reports.
pub const READER: &str = "tenant_reader";

/// In a read-only system context the transaction is read-only, whatever was done to its setting: a released savepoint
/// ends it, and on 15 RESET turns it off.
pub fn keep_read_only() {
    if current::system() == Some(SystemContext::Read) && !transaction::is_read_only() {
        setting::set_local("transaction_read_only", "on");
    }
}

/// Whether a statement that runs with the rights of `user` is at work in the system context: with the role's own
/// rights, not by a function, a view or a SET ROLE.
fn is_at_work(user: Oid) -> bool {
    let is_role = |name| role::by_name(name) == Some(user);
    let reads = current::system() == Some(SystemContext::Read);
    user == role::current_user() && user == role::outer_user() && (is_role(ROLE) || reads && is_role(READER))
}

/// Whether statements of this session have the system context's rights at this moment.
pub fn in_force() -> bool {
    let user = role::current_user();
    if owner::in_force() { owner::is_at_work(user) } else { current::system().is_some() && is_at_work(user) }
}

/// Judges a statement in the system context that reaches a protected table with the rights of `user`. `name` is the
/// table's.
pub fn judge(
    context: SystemContext,
    table: Oid,
    user: Oid,
    writes: bool,
    name: impl FnOnce(Oid) -> String,
) -> Outcome<()> {
    if context == SystemContext::Owner {
        return owner::judge(table, user, name(table));
    }
    if !is_at_work(user) {
        return Err(system_role_left(&name(table), user));
    }
    if writes && context == SystemContext::Read {
        return Err(system_read_only(&name(table)));
    }
    Ok(())
}

fn system_read_only(name: &str) -> Report {
    Report::new(Refusal::SystemReadOnly, format!("cannot write table {name}: the system context is read-only"))
        .detail("It was entered without write => true.")
        .hint("In a transaction of its own: select tenant.enter_system('<reason>', write => true);")
}

fn system_role_left(name: &str, user: Oid) -> Report {
    let user = role::name(user);
    Report::new(
        Refusal::SystemRoleLeft,
        format!("the system context does not reach table {name} with the rights of role \"{user}\""),
    )
    .detail(format!("It is the own rights of role \"{ROLE}\" that reach every tenant's rows."))
    .hint("Do without SET ROLE; for a view, security_invoker = true; for a function, SECURITY INVOKER.")
}

//! What is said of a statement on a protected table that is refused.

use crate::context::current;
use crate::pg::policy::{Fence, Reader};
use crate::pg::report::Report;
use crate::pg::{relation, role, transaction};
use crate::policy::protection::{Gap, Sign};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// The refusal of a statement on this table with no tenant.
pub fn no_tenant(table: Oid) -> Report {
    let (name, user) = (relation::name(table), role::current_user());
    let is_in = |group| role::by_name(group).is_some_and(|group| role::is_member(user, group));
    let begin = if transaction::is_block() { "" } else { "begin; " };
    // Of drivers and ORMs many show the message alone: it says what to do.
    let (message, hint) = if is_in("tenant_user") && current::ended_with_its_statement() {
        (
            "and the tenant that was entered has ended with its statement: begin; before tenant.enter".into(),
            "A tenant lasts as long as its transaction. In one: begin; select tenant.enter('<tenant id>'); <statements>; commit;",
        )
    } else if !is_in("tenant_user") && !role::is_superuser(user) && role::owns(user, table) {
        (
            format!("from its owner too: {begin}select tenant.enter_system_as_owner('<reason>') first"),
            "A superuser allows it to a role: grant tenant_system to <role>; Of one tenant: grant tenant_user to <role>;",
        )
    } else if !is_in("tenant_user") && is_in("tenant_admin") {
        (
            format!("and this transaction has entered no context: {begin}select tenant.enter_system('<reason>') first"),
            "A superuser allows it to a role: grant tenant_system to <role>; Of one tenant: grant tenant_user to <role>;",
        )
    } else {
        (
            format!("and this transaction has entered none: {begin}select tenant.enter('<tenant id>') first"),
            "In the same transaction, first: select tenant.enter('<tenant id>');",
        )
    };
    Report::new(Refusal::NoTenant, format!("no tenant: table {name} is protected {message}"))
        .detail(format!("Role \"{}\" ran the statement.", role::name(user)))
        .hint(hint)
}

/// The refusal of what would change, or lock, a row that other tenants have as well.
pub fn read_only_by_membership(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::ReadOnlyByMembership, format!("table {name} is read-only in a tenant's transaction"))
        .detail("Its rows belong to every tenant that has them as members: the others would see the change, or wait for it.")
        .hint("Change it outside of tenants: select tenant.enter_system('<reason>', write => true);")
}

pub fn policy_bypassed(table: Oid, user: Oid) -> Report {
    let (name, user) = (relation::name(table), role::name(user));
    Report::new(Refusal::PolicyBypassed, format!("row-level security of table {name} would be bypassed"))
        .detail(format!("The statement reaches it with the rights of role \"{user}\", to whom policies do not apply."))
        .hint("Use a role without SUPERUSER and BYPASSRLS: for a view, security_invoker = true; for a function, another owner.")
}

pub fn tenant_type_mismatch(table: Oid, fence: Fence) -> Report {
    let kind = match fence.reader {
        Reader::Uuid => "a uuid",
        Reader::Bigint => "a bigint",
        Reader::Text => "a text",
    };
    let tenant = current::tenant().map(|id| id.to_string()).unwrap_or_default();
    let (name, column) = (relation::name(table), relation::column_name(table, fence.column));
    Report::new(Refusal::TenantTypeMismatch, format!("tenant \"{tenant}\" has no value in table {name}"))
        .detail(format!("Its tenant column \"{column}\" is read as {kind}, which this tenant id is not."))
        .hint("Key the table by text, or register the tenant under the id that the application's tables use.")
}

pub fn protection_incomplete(table: Oid, gap: Gap) -> Report {
    let name = relation::name(table);
    let literal = relation::literal(table);
    let hint = match gap {
        Gap::Lost(_) => format!(
            "Its owner protects it: select tenant.protect({literal}); or, where it is no tenant's: \
             select tenant.share({literal}, '<reason>');"
        ),
        Gap::UnderProtected(parent) => completes(parent),
        Gap::Through(through) => format!(
            "Its owner protects it: select tenant.protect({}); or: select tenant.unprotect({literal}, '<reason>');",
            relation::literal(through)
        ),
        Gap::NotEnabled | Gap::NotForced | Gap::OverProtected(_) => completes(table),
        Gap::Torn(fence) => format!(
            "The owner completes it: select tenant.protect({literal}, {}, shared_rows => true);",
            relation::quoted(&relation::column_name(table, fence.column))
        ),
    };
    let why = match gap {
        Gap::NotEnabled => "It has a tenant policy, but row-level security is not enabled.".into(),
        Gap::NotForced => "It has a tenant policy, but row-level security is not forced.".into(),
        Gap::UnderProtected(parent) => {
            format!("It belongs to protected table {} and has no tenant policy.", relation::name(parent))
        }
        Gap::OverProtected(child) => {
            format!("Protected table {} belongs to it, and it has no tenant policy.", relation::name(child))
        }
        Gap::Through(through) => {
            format!("It is reached by membership through table {}, which has no tenant policy.", relation::name(through))
        }
        Gap::Lost(Sign::Journal) => "It was protected, as the journal says, and has no tenant policy any more.".into(),
        Gap::Lost(Sign::Default) => {
            "A column's default reads the current tenant, and it has no tenant policy: it is a copy of a protected table, or \
             was restored in part."
                .into()
        }
        Gap::Torn(_) => "It shows rows of no tenant to every one, and lacks a policy that keeps tenants from writing them, or from \
             reading more."
            .into(),
        Gap::Lost(Sign::Forced) => "Row-level security is forced, and it has no policy: it was restored in part.".into(),
    };
    Report::new(Refusal::ProtectionIncomplete, format!("the protection of table {name} is incomplete"))
        .detail(why)
        .hint(hint)
}

fn completes(root: Oid) -> String {
    format!("The owner completes it: select tenant.protect({});", relation::literal(root))
}

pub fn shadowed_table(temporary: Oid, table: Oid) -> Report {
    let (temporary, name) = (relation::name(temporary), relation::name(table));
    Report::new(Refusal::ShadowedTable, format!("{temporary} stands in front of protected table {name}"))
        .detail("The statement would read or write this session's temporary relation instead.")
        .hint(format!("Drop the temporary relation, or name the table with its schema: {name}."))
}

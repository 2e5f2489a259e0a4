//! `tenant.protect` and `tenant.unprotect` turn the guards off for the commands of their SQL bodies, and on again
//! whatever happens; `tenant_internal.fence_policy`, `tenant_internal.fence_column` and
//! `tenant_internal.has_shared_rows` recognise a fence, `tenant_internal.membership_…` one that goes by a join table,
//! `tenant_internal.policy_form` what any policy says, and `tenant_internal.former_column` a policy that 0.1.0 made.

use crate::pg::function::{Args, Returned};
use crate::pg::membership::Member;
use crate::pg::policy::{self, Form};
use crate::pg::report::Outcome;
use crate::policy::protection;
use crate::{sql_function, sql_function_without_guards};

sql_function_without_guards!(pg_tenant_protect, pg_finfo_pg_tenant_protect, "apply_protection");
sql_function_without_guards!(
    pg_tenant_protect_by_membership,
    pg_finfo_pg_tenant_protect_by_membership,
    "apply_membership"
);
sql_function_without_guards!(pg_tenant_unprotect, pg_finfo_pg_tenant_unprotect, "remove_protection");
sql_function!(pg_tenant_fence_policy, pg_finfo_pg_tenant_fence_policy, fence_policy);
sql_function!(pg_tenant_fence_column, pg_finfo_pg_tenant_fence_column, fence_column);
sql_function!(pg_tenant_has_shared_rows, pg_finfo_pg_tenant_has_shared_rows, has_shared_rows);
sql_function!(pg_tenant_policy_form, pg_finfo_pg_tenant_policy_form, policy_form);
sql_function!(pg_tenant_membership_through, pg_finfo_pg_tenant_membership_through, membership_through);
sql_function!(pg_tenant_membership_key, pg_finfo_pg_tenant_membership_key, membership_key);
sql_function!(pg_tenant_membership_member, pg_finfo_pg_tenant_membership_member, membership_member);
sql_function!(pg_tenant_former_column, pg_finfo_pg_tenant_former_column, former_column);
sql_function!(pg_tenant_is_equality, pg_finfo_pg_tenant_is_equality, is_equality);

fn fence_policy(args: Args) -> Outcome<Returned> {
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::oid(fence.policy)))
}

fn fence_column(args: Args) -> Outcome<Returned> {
    let fence = protection::fence(args.oid(0)).filter(|fence| fence.membership().is_none());
    Ok(fence.map_or(Returned::Null, |fence| Returned::smallint(fence.column)))
}

fn membership_through(args: Args) -> Outcome<Returned> {
    Ok(membership(args).map_or(Returned::Null, |(_, member)| Returned::oid(member.through)))
}

fn membership_key(args: Args) -> Outcome<Returned> {
    Ok(membership(args).map_or(Returned::Null, |(key, _)| Returned::smallint(key)))
}

fn membership_member(args: Args) -> Outcome<Returned> {
    Ok(membership(args).map_or(Returned::Null, |(_, member)| Returned::smallint(member.column)))
}

/// The key by which a table is reached by membership, and where the keys of each tenant are.
fn membership(args: Args) -> Option<(i16, Member)> {
    let fence = protection::fence(args.oid(0))?;
    fence.membership().map(|member| (fence.column, member))
}

fn has_shared_rows(args: Args) -> Outcome<Returned> {
    let shares = |form| matches!(form, Form::OrShared | Form::Torn);
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::boolean(shares(fence.form))))
}

fn policy_form(args: Args) -> Outcome<Returned> {
    let name = |form| match form {
        Form::Own => "own",
        Form::OrShared | Form::Torn => "shared",
        Form::Former => "former",
        Form::Membership(_) => "membership",
    };
    Ok(policy::condition_form(args.oid(0)).map_or(Returned::Null, |form| Returned::text(name(form))))
}

fn former_column(args: Args) -> Outcome<Returned> {
    Ok(policy::former_column(args.oid(0)).map_or(Returned::Null, Returned::smallint))
}

fn is_equality(args: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(policy::condition_form(args.oid(0)).is_some()))
}

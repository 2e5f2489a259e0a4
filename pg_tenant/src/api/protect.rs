//! `tenant.protect` and `tenant.unprotect` turn the guards off for the commands of their SQL bodies, and on again
//! whatever happens; `tenant.fence_policy`, `tenant.fence_column` and `tenant.has_shared_rows` recognise a fence,
//! `tenant.policy_form` what any policy says, and `tenant.former_column` a policy that 0.1.0 made.

use crate::error::Outcome;
use crate::pg::function::{Args, Returned};
use crate::pg::policy::{self, Form};
use crate::policy::protection;
use crate::{sql_function, sql_function_without_guards};

sql_function_without_guards!(pg_tenant_protect, pg_finfo_pg_tenant_protect, "apply_protection");
sql_function_without_guards!(pg_tenant_unprotect, pg_finfo_pg_tenant_unprotect, "remove_protection");
sql_function!(pg_tenant_fence_policy, pg_finfo_pg_tenant_fence_policy, fence_policy);
sql_function!(pg_tenant_fence_column, pg_finfo_pg_tenant_fence_column, fence_column);
sql_function!(pg_tenant_has_shared_rows, pg_finfo_pg_tenant_has_shared_rows, has_shared_rows);
sql_function!(pg_tenant_policy_form, pg_finfo_pg_tenant_policy_form, policy_form);
sql_function!(pg_tenant_former_column, pg_finfo_pg_tenant_former_column, former_column);
sql_function!(pg_tenant_is_equality, pg_finfo_pg_tenant_is_equality, is_equality);

fn fence_policy(args: Args) -> Outcome<Returned> {
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::oid(fence.policy)))
}

fn fence_column(args: Args) -> Outcome<Returned> {
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::smallint(fence.column)))
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
    };
    Ok(policy::condition_form(args.oid(0)).map_or(Returned::Null, |form| Returned::text(name(form))))
}

fn former_column(args: Args) -> Outcome<Returned> {
    Ok(policy::former_column(args.oid(0)).map_or(Returned::Null, Returned::smallint))
}

fn is_equality(args: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(policy::condition_form(args.oid(0)).is_some()))
}

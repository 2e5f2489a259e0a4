//! `tenant.protect` and `tenant.unprotect` turn the guards off for the commands of their SQL bodies, and on again
//! whatever happens; `tenant.fence_policy` and `tenant.fence_column` recognise a fence,
//! and `tenant.former_column` a policy that 0.1.0 made.

use crate::error::Outcome;
use crate::pg::function::{Args, Returned};
use crate::pg::policy;
use crate::policy::protection;
use crate::{sql_function, sql_function_without_guards};

sql_function_without_guards!(pg_tenant_protect, pg_finfo_pg_tenant_protect, "apply_protection");
sql_function_without_guards!(pg_tenant_unprotect, pg_finfo_pg_tenant_unprotect, "remove_protection");
sql_function!(pg_tenant_fence_policy, pg_finfo_pg_tenant_fence_policy, fence_policy);
sql_function!(pg_tenant_fence_column, pg_finfo_pg_tenant_fence_column, fence_column);
sql_function!(pg_tenant_former_column, pg_finfo_pg_tenant_former_column, former_column);
sql_function!(pg_tenant_is_equality, pg_finfo_pg_tenant_is_equality, is_equality);

fn fence_policy(args: Args) -> Outcome<Returned> {
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::oid(fence.policy)))
}

fn fence_column(args: Args) -> Outcome<Returned> {
    Ok(protection::fence(args.oid(0)).map_or(Returned::Null, |fence| Returned::smallint(fence.column)))
}

fn former_column(args: Args) -> Outcome<Returned> {
    Ok(policy::former_column(args.oid(0)).map_or(Returned::Null, Returned::smallint))
}

fn is_equality(args: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(policy::is_condition(args.oid(0))))
}

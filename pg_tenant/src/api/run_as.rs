//! `tenant_internal.run_as_owner`, `run_validation`, `run_past_policies`, `run_as` and `run_lookup`: commands of our
//! own SQL functions, run as somebody else.

use crate::context::current;
use crate::gucs;
use crate::pg::as_owner::{self, Task};
use crate::pg::function::Args;
use crate::pg::report::Outcome;
use crate::sql_function_running;

sql_function_running!(pg_tenant_run_as_owner, pg_finfo_pg_tenant_run_as_owner, as_owner::as_owner);
sql_function_running!(pg_tenant_run_validation, pg_finfo_pg_tenant_run_validation, validation);
sql_function_running!(pg_tenant_run_past_policies, pg_finfo_pg_tenant_run_past_policies, as_owner::past_policies);
sql_function_running!(pg_tenant_run_as, pg_finfo_pg_tenant_run_as, as_owner::as_role);
sql_function_running!(pg_tenant_run_lookup, pg_finfo_pg_tenant_run_lookup, as_owner::lookup);

/// `tenant.protect` has turned the guards off while it validates; whoever else calls this is guarded.
fn validation(args: Args) -> Outcome<Task> {
    as_owner::validation(args, gucs::guards() || current::entered().is_some())
}

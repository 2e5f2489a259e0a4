//! `tenant.enter_system`, `tenant.enter_system_pristine`, `tenant.enter_system_as_owner`, `tenant.in_system_context`:
//! each entry is written to the journal and to the server's log.

use crate::context;
use crate::entry::system::SystemEntry;
use crate::entry::{owner, system};
use crate::pg::function::{Args, Returned};
use crate::pg::in_steps::Steps;
use crate::pg::report::Outcome;
use crate::{sql_function, sql_function_in_steps};
use pg_tenant_core::SystemContext;

sql_function_in_steps!(pg_tenant_enter_system, pg_finfo_pg_tenant_enter_system, enter, take);
sql_function_in_steps!(pg_tenant_enter_system_pristine, pg_finfo_pg_tenant_enter_system_pristine, enter_pristine, take);
sql_function_in_steps!(pg_tenant_enter_system_as_owner, pg_finfo_pg_tenant_enter_system_as_owner, enter_as_owner, take);
sql_function!(pg_tenant_in_system_context, pg_finfo_pg_tenant_in_system_context, in_system_context);
sql_function!(pg_tenant_require_plain, pg_finfo_pg_tenant_require_plain, require_plain);

fn enter(args: Args) -> Outcome<Steps<SystemContext>> {
    Ok(steps(system::admit(args.text_opt(0).as_deref(), args.boolean(1))?, "journal_system"))
}

fn enter_pristine(args: Args) -> Outcome<Steps<SystemContext>> {
    Ok(steps(system::admit_pristine(args.text_opt(0).as_deref(), args.boolean(1))?, "journal_system"))
}

fn enter_as_owner(args: Args) -> Outcome<Steps<SystemContext>> {
    Ok(steps(owner::admit(args.text_opt(0).as_deref())?, "journal_system_as_owner"))
}

fn steps(entry: SystemEntry, journal: &'static str) -> Steps<SystemContext> {
    Steps { journal: entry.journal.then_some(journal), act: entry.context, log: Some(entry.log) }
}

fn take(context: SystemContext) -> Outcome<Returned> {
    match context {
        SystemContext::Owner => owner::take(),
        SystemContext::Read | SystemContext::Write => system::take(context),
    }
    Ok(Returned::Void)
}

fn in_system_context(_: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(context::system::in_force()))
}

fn require_plain(args: Args) -> Outcome<Returned> {
    system::require_plain(&args.text(0), &args.text(1)).map(|()| Returned::boolean(true))
}

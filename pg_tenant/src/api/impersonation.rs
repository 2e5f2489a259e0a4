//! `tenant.enter_as` and `tenant.enter_as_pristine`: each entry is written to the server's log, and the first of a
//! session to the journal.

use crate::entry::impersonation::{self, GrantedEntry};
use crate::entry::pristine;
use crate::pg::function::{Args, Returned};
use crate::pg::impersonation_row::GrantId;
use crate::pg::in_steps::Steps;
use crate::pg::report::Outcome;
use crate::sql_function_in_steps;

sql_function_in_steps!(pg_tenant_enter_as, pg_finfo_pg_tenant_enter_as, enter, take);
sql_function_in_steps!(pg_tenant_enter_as_pristine, pg_finfo_pg_tenant_enter_as_pristine, enter_pristine, take);

fn enter(args: Args) -> Outcome<Steps<GrantId>> {
    let GrantedEntry { id, journal, log } = impersonation::admit(args.uuid_opt(0))?;
    Ok(Steps { journal: journal.then_some("journal_enter_as"), act: id, log })
}

fn enter_pristine(args: Args) -> Outcome<Steps<GrantId>> {
    pristine::require_pristine()?;
    enter(args)
}

fn take(id: GrantId) -> Outcome<Returned> {
    Ok(Returned::text(impersonation::take(id)?.as_str()))
}

//! `tenant_internal.count_lookup(rel regclass, key_number smallint) → text`: counts a lookup, and gives JSON for the
//! journal where a line is due, else null.

use crate::entry::lookup;
use crate::pg::function::{Args, Returned};
use crate::pg::in_steps::Steps;
use crate::pg::report::Outcome;
use crate::sql_function_in_steps;
use pg_tenant_core::Due;

sql_function_in_steps!(pg_tenant_count_lookup, pg_finfo_pg_tenant_count_lookup, count, due);

fn count(args: Args) -> Outcome<Steps<Option<Due>>> {
    let admitted = lookup::admit(args.oid(0), args.smallint(1))?;
    let (due, log) = admitted.due.unzip();
    Ok(Steps { journal: None, act: due, log })
}

fn due(due: Option<Due>) -> Outcome<Returned> {
    let Some(Due { since, lookups, refused }) = due else { return Ok(Returned::Null) };
    Ok(Returned::text(&format!(r#"{{"since": {since}, "lookups": {lookups}, "refused": {refused}}}"#)))
}

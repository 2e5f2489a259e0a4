//! `tenant.enter`, `tenant.enter_pristine`, `tenant.in_system_context`, `tenant.version`. The entries to the system
//! context are in [`crate::pg::system_entry`].

use crate::context::{enter, locks, system};
use crate::guard::{conflict, function, hidden};
use crate::pg::function::{Args, Returned};
use crate::pg::report::Outcome;
use crate::{sql_function, sql_function_answering};

sql_function!(pg_tenant_enter, pg_finfo_pg_tenant_enter, enter_);
sql_function!(pg_tenant_enter_pristine, pg_finfo_pg_tenant_enter_pristine, enter_pristine);
sql_function!(pg_tenant_in_system_context, pg_finfo_pg_tenant_in_system_context, in_system_context);
sql_function!(pg_tenant_canonical_id, pg_finfo_pg_tenant_canonical_id, canonical_id);
sql_function!(pg_tenant_is_shown, pg_finfo_pg_tenant_is_shown, is_shown);
sql_function_answering!(pg_tenant_hidden, pg_finfo_pg_tenant_hidden, function::answer);
sql_function_answering!(pg_tenant_hidden_set, pg_finfo_pg_tenant_hidden_set, function::answer);
sql_function!(pg_tenant_own_row, pg_finfo_pg_tenant_own_row, own_row);
sql_function!(pg_tenant_require_plain, pg_finfo_pg_tenant_require_plain, require_plain);
sql_function!(pg_tenant_count_lock, pg_finfo_pg_tenant_count_lock, count_lock);
sql_function!(pg_tenant_version, pg_finfo_pg_tenant_version, version);

fn enter_(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::enter(&given(args)?)?.as_str()))
}

fn enter_pristine(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::enter_pristine(&given(args)?)?.as_str()))
}

/// The id, which must be there: a claim or a variable that is missing is not "no tenant".
fn given(args: Args) -> Outcome<String> {
    args.text_opt(0).ok_or_else(enter::no_id)
}

fn in_system_context(_: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(system::in_force()))
}

fn is_shown(args: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(hidden::is_shown(args.oid(0), args.oid(1))))
}

fn own_row(args: Args) -> Outcome<Returned> {
    conflict::own_row(args.boolean(0)).map(Returned::boolean)
}

fn canonical_id(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::parse(&given(args)?)?.as_str()))
}

fn require_plain(args: Args) -> Outcome<Returned> {
    system::require_plain(&args.text(0), &args.text(1)).map(|()| Returned::boolean(true))
}

fn count_lock(args: Args) -> Outcome<Returned> {
    let key = args.bigint(0);
    locks::count(key).map(|()| Returned::bigint(key))
}

fn version(_: Args) -> Outcome<Returned> {
    Ok(Returned::text(env!("CARGO_PKG_VERSION")))
}

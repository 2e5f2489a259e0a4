//! `tenant.enter`, `tenant.enter_pristine`, `tenant.version`, and what policies, plans and views call.

use crate::context::{locks, previous};
use crate::entry::tenant;
use crate::guard::{conflict, function, hidden};
use crate::pg::function::{Args, Returned};
use crate::pg::report::Outcome;
use crate::{sql_function, sql_function_answering};

sql_function!(pg_tenant_enter, pg_finfo_pg_tenant_enter, enter_);
sql_function!(pg_tenant_enter_pristine, pg_finfo_pg_tenant_enter_pristine, enter_pristine);
sql_function!(pg_tenant_enter_for, pg_finfo_pg_tenant_enter_for, enter_for);
sql_function!(pg_tenant_enter_pristine_for, pg_finfo_pg_tenant_enter_pristine_for, enter_pristine_for);
sql_function!(pg_tenant_canonical_id, pg_finfo_pg_tenant_canonical_id, canonical_id);
sql_function!(pg_tenant_is_shown, pg_finfo_pg_tenant_is_shown, is_shown);
sql_function_answering!(pg_tenant_hidden, pg_finfo_pg_tenant_hidden, function::answer);
sql_function_answering!(pg_tenant_hidden_set, pg_finfo_pg_tenant_hidden_set, function::answer);
sql_function!(pg_tenant_own_row, pg_finfo_pg_tenant_own_row, own_row);
sql_function!(pg_tenant_count_lock, pg_finfo_pg_tenant_count_lock, count_lock);
sql_function!(pg_tenant_left_nothing, pg_finfo_pg_tenant_left_nothing, left_nothing);
sql_function!(pg_tenant_version, pg_finfo_pg_tenant_version, version);

fn enter_(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(tenant::enter(&given(args)?)?.as_str()))
}

fn enter_pristine(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(tenant::enter_pristine(&given(args)?)?.as_str()))
}

fn enter_for(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(tenant::enter_for(&given(args)?, args.text_opt(1).as_deref())?.as_str()))
}

fn enter_pristine_for(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(tenant::enter_pristine_for(&given(args)?, args.text_opt(1).as_deref())?.as_str()))
}

/// The id, which must be there: a claim or a variable that is missing is not "no tenant".
fn given(args: Args) -> Outcome<String> {
    args.text_opt(0).ok_or_else(tenant::no_id)
}

fn is_shown(args: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(hidden::is_shown(args.oid(0), args.oid(1))))
}

fn own_row(args: Args) -> Outcome<Returned> {
    conflict::own_row(args.boolean(0)).map(Returned::boolean)
}

fn canonical_id(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(tenant::parse(&given(args)?)?.as_str()))
}

fn count_lock(args: Args) -> Outcome<Returned> {
    let key = args.bigint(0);
    locks::count(key).map(|()| Returned::bigint(key))
}

fn left_nothing(_: Args) -> Outcome<Returned> {
    Ok(Returned::boolean(previous::left_nothing()))
}

fn version(_: Args) -> Outcome<Returned> {
    Ok(Returned::text(env!("CARGO_PKG_VERSION")))
}

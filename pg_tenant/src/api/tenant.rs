//! `tenant.enter`, `tenant.enter_pristine`, `tenant.version`.

use crate::context::enter;
use crate::error::Outcome;
use crate::pg::function::{Args, Returned};
use crate::sql_function;

sql_function!(pg_tenant_enter, pg_finfo_pg_tenant_enter, enter_);
sql_function!(pg_tenant_enter_pristine, pg_finfo_pg_tenant_enter_pristine, enter_pristine);
sql_function!(pg_tenant_canonical_id, pg_finfo_pg_tenant_canonical_id, canonical_id);
sql_function!(pg_tenant_version, pg_finfo_pg_tenant_version, version);

fn enter_(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::enter(&args.text(0))?.as_str()))
}

fn enter_pristine(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::enter_pristine(&args.text(0))?.as_str()))
}

fn canonical_id(args: Args) -> Outcome<Returned> {
    Ok(Returned::text(enter::parse(&args.text(0))?.as_str()))
}

fn version(_: Args) -> Outcome<Returned> {
    Ok(Returned::text(env!("CARGO_PKG_VERSION")))
}

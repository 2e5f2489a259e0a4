//! `tenant.enter_signed`, `tenant.enter_signed_pristine`; what the doctor asks of the key file. No refusal of the
//! entries shows the statement in the server log: a token may stand in it.

use crate::entry::{pristine, tenant};
use crate::pg::function::{Args, Returned};
use crate::pg::report::{Outcome, Report};
use crate::signed;
use crate::sql_function;

sql_function!(pg_tenant_enter_signed, pg_finfo_pg_tenant_enter_signed, enter_signed);
sql_function!(pg_tenant_enter_signed_pristine, pg_finfo_pg_tenant_enter_signed_pristine, enter_signed_pristine);
sql_function!(pg_tenant_keys_missing, pg_finfo_pg_tenant_keys_missing, keys_missing);
sql_function!(pg_tenant_keys_replaceable, pg_finfo_pg_tenant_keys_replaceable, keys_replaceable);

fn keys_missing(_: Args) -> Outcome<Returned> {
    Ok(signed::keys_missing().map_or(Returned::Null, |why| Returned::text(&why)))
}

fn keys_replaceable(_: Args) -> Outcome<Returned> {
    Ok(signed::keys_replaceable().map_or(Returned::Null, |why| Returned::text(&why)))
}

fn enter_signed(args: Args) -> Outcome<Returned> {
    entered(args, || Ok(())).map_err(Report::hiding_statement)
}

fn enter_signed_pristine(args: Args) -> Outcome<Returned> {
    entered(args, pristine::require_pristine).map_err(Report::hiding_statement)
}

fn entered(args: Args, first: fn() -> Outcome<()>) -> Outcome<Returned> {
    let token = args.secret_opt(0).ok_or_else(signed::no_token)?;
    signed::keep_secret(&token)?;
    first()?;
    Ok(Returned::text(tenant::enter_signed(&*signed::verify(&token)?)?.as_str()))
}

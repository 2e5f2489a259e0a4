//! `tenant.setting`, `tenant_internal.setting_as_json`, `tenant.feature`: what the transaction's tenant has;
//! `tenant.generation`: whether it has it still.

use crate::context::settings;
use crate::pg::asking::Step;
use crate::pg::function::{Args, Returned};
use crate::pg::report::{Outcome, Report};
use crate::{sql_function, sql_function_asking};
use pg_tenant_core::Refusal;
use serde_json::Value;

sql_function_asking!(pg_tenant_setting, pg_finfo_pg_tenant_setting, setting, take_setting);
sql_function_asking!(pg_tenant_setting_as_json, pg_finfo_pg_tenant_setting_as_json, json, take_json);
sql_function_asking!(pg_tenant_feature, pg_finfo_pg_tenant_feature, feature, take_feature);
sql_function!(pg_tenant_generation, pg_finfo_pg_tenant_generation, generation);

/// A number that stands for nothing but itself, so that all 64 bits are used.
fn generation(_: Args) -> Outcome<Returned> {
    Ok(settings::generation().map_or(Returned::Null, |number| Returned::bigint(number.cast_signed())))
}

fn setting(args: Args) -> Outcome<Step> {
    settings::recall(&args.text(0), as_text)
}

fn take_setting(args: Args, told: Option<String>, latest: bool) -> Outcome<Returned> {
    settings::take(&args.text(0), told.as_deref(), latest, as_text)
}

fn json(args: Args) -> Outcome<Step> {
    settings::recall(&args.text(0), as_json)
}

fn take_json(args: Args, told: Option<String>, latest: bool) -> Outcome<Returned> {
    settings::take(&args.text(0), told.as_deref(), latest, as_json)
}

fn feature(args: Args) -> Outcome<Step> {
    settings::recall(&args.text(0), as_feature)
}

fn take_feature(args: Args, told: Option<String>, latest: bool) -> Outcome<Returned> {
    settings::take(&args.text(0), told.as_deref(), latest, as_feature)
}

fn as_text(value: &Value) -> Outcome<Returned> {
    Ok(match value {
        Value::Null => Returned::Null,
        Value::String(text) => Returned::text(text),
        other => Returned::text(&other.to_string()),
    })
}

fn as_json(value: &Value) -> Outcome<Returned> {
    Ok(if value.is_null() { Returned::Null } else { Returned::text(&value.to_string()) })
}

fn as_feature(value: &Value) -> Outcome<Returned> {
    match value {
        Value::Null => Ok(Returned::boolean(false)),
        Value::Bool(on) => Ok(Returned::boolean(*on)),
        _ => Err(Report::new(Refusal::InvalidSetting, "this setting is no feature")
            .detail("Its value is neither true nor false.")
            .hint("Read it with tenant.setting().")),
    }
}

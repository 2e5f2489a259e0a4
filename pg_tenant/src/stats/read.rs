//! What SQL sees of the numbers. Inside a tenant its own line is all there is.

use crate::context::current;
use crate::pg::function::{self, Returned};
use crate::pg::report::Outcome;
use crate::pg::statistics::Board;
use crate::pg::{activity, server, statistics as memory};
use crate::stats::running;
use crate::stats::who::Who;
use pg_tenant_core::statistics::{Counters, Sampled, Stepped};
use pg_tenant_core::{Refusal, TenantId};
use std::fmt::Write as _;

/// Whom the caller asks for, unless it is in a tenant and asks for another one.
fn asked(context: &str, id: Option<&str>) -> Option<Who> {
    let who = match context {
        "system" => Who::System,
        "none" => Who::Nobody,
        _ => Who::Tenant(id?.parse::<TenantId>().ok()?),
    };
    let own = current::tenant().map(Who::Tenant);
    (own.is_none() || own == Some(who)).then_some(who)
}

fn read(board: &'static Board, context: &str, id: Option<&str>) -> Option<Counters> {
    let table = board.table();
    if context == "others" {
        return current::tenant().is_none().then(|| table.others.read());
    }
    table.find(asked(context, id)?.key()).map(|place| table.slots[place].read())
}

/// `tenant_internal.stat_line(context, id) → text`: a row of `tenant_internal.stat_counters`; null where nobody counts.
fn line(args: function::Args) -> Outcome<Returned> {
    let (context, id) = (args.text_opt(0).unwrap_or_default(), args.text_opt(1));
    let Some(board) = memory::board() else { return Ok(Returned::Null) };
    let Some(counters) = read(board, &context, id.as_deref()) else { return Ok(Returned::Null) };
    let large = counters.large.map(|number| i64::try_from(number).unwrap_or(i64::MAX).to_string());
    let small = counters.small.map(|number| number.to_string());
    Ok(Returned::text(&format!("({},{})", large.join(","), small.join(","))))
}

/// `tenant_internal.stat_key(context, id) → text`: by what `tenant_internal.stat_steps()` calls it.
fn key(args: function::Args) -> Outcome<Returned> {
    let (context, id) = (args.text_opt(0).unwrap_or_default(), args.text_opt(1));
    let who = asked(&context, id.as_deref());
    let key = memory::board().and(who).map(|who| who.key());
    Ok(key.map_or(Returned::Null, |key| Returned::text(&format!("{key:016x}"))))
}

/// `tenant_internal.stat_steps(minutes) → text`: JSON, of each who worked in each step, of ten seconds or a minute; in
/// a tenant, its own.
fn steps(args: function::Args) -> Outcome<Returned> {
    let mut json = String::from("[");
    if let Some(board) = memory::board() {
        let own = current::tenant().map(|id| Who::Tenant(id).key());
        let now = u64::try_from(server::now()).unwrap_or_default();
        let all = if args.boolean(0) { board.minutes.read(now) } else { board.steps.read(now) };
        for Stepped { key, since, step } in all {
            if own.is_some() && own != key {
                continue;
            }
            let (comma, key) = (if json.len() > 1 { "," } else { "" }, key.map_or(0, |key| key.get()));
            let _ = write!(
                json,
                r#"{comma}{{"k":"{key:016x}","s":{since},"t":{},"n":{},"r":{},"w":{},"e":{},"p":{}}}"#,
                step.transactions, step.statements, step.rows_read, step.rows_written, step.execution, step.processor
            );
        }
    }
    json.push(']');
    Ok(Returned::text(&json))
}

/// `tenant_internal.stat_samples() → text`: JSON, of each statement of each tenant; in a tenant, its own.
fn samples(_: function::Args) -> Outcome<Returned> {
    let mut json = String::from("[");
    if let Some(board) = memory::board() {
        let own = current::tenant().map(|id| Who::Tenant(id).key());
        for Sampled { key, query, calls, execution } in
            board.samples.read().filter(|one| own.is_none_or(|own| own == one.key))
        {
            let comma = if json.len() > 1 { "," } else { "" };
            let _ = write!(json, r#"{comma}{{"k":"{key:016x}","q":{query},"c":{calls},"e":{execution}}}"#);
        }
    }
    json.push(']');
    Ok(Returned::text(&json))
}

/// `tenant_internal.session_contexts() → text`: JSON, of each session that has entered something; in a tenant, of those
/// that are in it.
fn sessions(_: function::Args) -> Outcome<Returned> {
    let own = current::tenant();
    let all = activity::all().into_iter().filter(|seen| own.is_none_or(|own| seen.tenant == own.as_str()));
    let all = all.map(|seen| {
        let tenant = (seen.context == activity::TENANT).then_some(seen.tenant);
        let context = if tenant.is_some() { "tenant" } else { "system" };
        let actor = Some(seen.actor).filter(|actor| !actor.is_empty());
        serde_json::json!({"pid": seen.pid, "context": context, "tenant_id": tenant, "actor": actor})
    });
    Ok(Returned::text(&serde_json::Value::Array(all.collect()).to_string()))
}

/// `tenant_internal.stat_codes(context, id) → text`: JSON, how often it was refused, by SQLSTATE.
fn codes(args: function::Args) -> Outcome<Returned> {
    let (context, id) = (args.text_opt(0).unwrap_or_default(), args.text_opt(1));
    let mut json = String::from("{");
    if let Some((board, who)) = memory::board().zip(asked(&context, id.as_deref())) {
        let key = who.key();
        for (place, refusal) in Refusal::ALL.iter().enumerate() {
            let count = board.codes.get(key, place);
            if count > 0 {
                let comma = if json.len() > 1 { "," } else { "" };
                let _ = write!(json, r#"{comma}"{}":{count}"#, refusal.code());
            }
        }
    }
    json.push('}');
    Ok(Returned::text(&json))
}

/// `tenant_internal.stat_reset(context, id)`: its numbers begin again; steps stay.
fn reset(args: function::Args) -> Outcome<Returned> {
    let (context, id) = (args.text_opt(0).unwrap_or_default(), args.text_opt(1));
    if let Some((board, who)) = memory::board().zip(asked(&context, id.as_deref())) {
        let (key, table) = (who.key(), board.table());
        if let Some(place) = table.find(key) {
            table.slots[place].take();
            table.slots[place].begin(super::now());
        }
        (0..Refusal::ALL.len()).for_each(|place| board.codes.reset(key, place));
    }
    Ok(Returned::Void)
}

/// `tenant_internal.stat_since() → bigint`: since when there are numbers, in seconds since 1970; null where there are
/// none.
fn since(_: function::Args) -> Outcome<Returned> {
    Ok(memory::board().map_or(Returned::Null, |board| Returned::bigint(i64::try_from(board.since()).unwrap_or(0))))
}

/// `tenant_internal.count_job()`: a job is done.
fn job(_: function::Args) -> Outcome<Returned> {
    running::job();
    Ok(Returned::Void)
}

crate::sql_function!(pg_tenant_count_job, pg_finfo_pg_tenant_count_job, job);
crate::sql_function!(pg_tenant_stat_line, pg_finfo_pg_tenant_stat_line, line);
crate::sql_function!(pg_tenant_stat_key, pg_finfo_pg_tenant_stat_key, key);
crate::sql_function!(pg_tenant_stat_steps, pg_finfo_pg_tenant_stat_steps, steps);
crate::sql_function!(pg_tenant_stat_codes, pg_finfo_pg_tenant_stat_codes, codes);
crate::sql_function!(pg_tenant_stat_reset, pg_finfo_pg_tenant_stat_reset, reset);
crate::sql_function!(pg_tenant_stat_since, pg_finfo_pg_tenant_stat_since, since);
crate::sql_function!(pg_tenant_stat_samples, pg_finfo_pg_tenant_stat_samples, samples);
crate::sql_function!(pg_tenant_session_contexts, pg_finfo_pg_tenant_session_contexts, sessions);

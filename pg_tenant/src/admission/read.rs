//! What SQL sees of limits.

use crate::context::current;
use crate::pg::function::{self, Returned};
use crate::pg::gates;
use crate::pg::report::Outcome;
use crate::stats::Who;
use pg_tenant_core::TenantId;

/// `tenant_internal.gate_line(id) → bigint[]` as text: how many transactions run, how many were refused, how many were
/// noted above a soft limit; null where nobody counts. In a tenant, its own.
fn line(args: function::Args) -> Outcome<Returned> {
    let id = args.text_opt(0).and_then(|id| id.parse::<TenantId>().ok());
    let id = id.filter(|&id| current::tenant().is_none_or(|own| own == id));
    let (Some(doors), Some(id)) = (gates::doors(), id) else { return Ok(Returned::Null) };
    let Some(place) = doors.gates.find(Who::Tenant(id).key()) else { return Ok(Returned::Null) };
    let gate = doors.gates.gate(place);
    let [refused, soft] = gate.counted();
    Ok(Returned::text(&format!("{{{},{refused},{soft}}}", gate.active())))
}

crate::sql_function!(pg_tenant_gate_line, pg_finfo_pg_tenant_gate_line, line);

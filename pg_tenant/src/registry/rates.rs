//! What all sessions of a tenant share: the column `rates` of its row, and its plan's where it has none of that name.

use crate::pg::registry_row::{PlanRow, RegistryRow};
use pg_tenant_core::gates::Given;
use serde_json::{Map, Value};

/// Reads both. What a later version of the schema knows and this library does not is passed over.
pub(super) fn read(row: &RegistryRow, plan: &PlanRow) -> Given {
    let mut given = Given::default();
    let of = |text: &Option<String>| -> Map<String, Value> {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (own, plans) = (of(&row.rates), of(&plan.rates));
    for name in Given::NAMES {
        let Some(limit) = own.get(name).or_else(|| plans.get(name)) else { continue };
        let number = |part: &str| limit.get(part).and_then(Value::as_u64).unwrap_or(0);
        // The name is one of them.
        let _ = given.set(name, number("hard"), number("soft"), number("burst"));
    }
    given
}

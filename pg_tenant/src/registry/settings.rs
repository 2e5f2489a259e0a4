//! What this backend remembers of tenants' settings: all of a tenant at once, until its version in shared memory
//! changes, or a plan or a definition does.
//!
//! An application keeps what it has read under the tenant's generation. So settings are given only beside the
//! generation that was known before they were asked for: a change can be seen a moment before it is told of, and then
//! the entry may be new and these settings old.

use super::cache::{self, Stamp};
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::{Refusal, TenantId};
use rustc_hash::FxHashMap;
use serde_json::Map;
pub use serde_json::Value;
use std::cell::{Cell, RefCell};

/// So many tenants' settings are remembered; then all are forgotten.
const CAPACITY: usize = 1024;

type Settings = Map<String, Value>;

thread_local! {
    static REMEMBERED: RefCell<FxHashMap<TenantId, (Basis, Settings)>> = RefCell::new(FxHashMap::default());
    /// What they rested on when they were asked for.
    static ASKED: Cell<Option<Basis>> = const { Cell::new(None) };
}

/// What settings rest on: the tenant's stamp, and its generation where that was known.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Basis {
    stamp: Stamp,
    generation: Option<u64>,
}

fn basis(id: &TenantId) -> Option<Basis> {
    Some(Basis { stamp: cache::stamp(id)?, generation: cache::known_generation(id) })
}

/// Reads a setting of the tenant, if its settings are remembered; else they are to be asked for.
///
/// Refuses (`TN150`) a setting that was not declared.
pub fn recall<T>(id: &TenantId, name: &str, read: impl FnOnce(&Value) -> Outcome<T>) -> Outcome<Option<T>> {
    let basis = basis(id);
    ASKED.set(basis);
    REMEMBERED.with_borrow(|remembered| match remembered.get(id) {
        Some((of, settings)) if Some(*of) == basis => find(settings, name).and_then(read).map(Some),
        _ => Ok(None),
    })
}

/// Takes all settings of the tenant, as JSON, and reads one. They are remembered if they are of what is committed, and
/// nothing has changed since they were asked for.
pub fn take<T>(
    id: &TenantId,
    name: &str,
    told: Option<&str>,
    latest: bool,
    read: impl FnOnce(&Value) -> Outcome<T>,
) -> Outcome<T> {
    let settings: Settings = told.and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default();
    let answer = find(&settings, name).and_then(read);
    if let Some(asked) = ASKED.take().filter(|&asked| latest && basis(id) == Some(asked)) {
        REMEMBERED.with_borrow_mut(|remembered| {
            if remembered.len() >= CAPACITY {
                remembered.clear();
            }
            remembered.insert(*id, (asked, settings));
        });
    }
    answer
}

fn find<'a>(settings: &'a Settings, name: &str) -> Outcome<&'a Value> {
    settings.get(name).ok_or_else(|| {
        let shown: String = name.chars().take(128).collect();
        Report::new(Refusal::UndeclaredSetting, format!("there is no setting \"{shown}\""))
            .detail("It is not in tenant.setting_definitions.")
            .hint("An administrator declares it: select tenant.declare_setting('<name>', '<kind>'); or tenant.declare_feature('<name>');")
    })
}

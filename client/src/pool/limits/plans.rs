//! Limits by plan.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use pg_tenant_core::TenantId;

use super::{LimitPolicy, Limits, Refresh};

/// Calls the function with the tenant's plan, which may be of any text type.
type PlanOf = dyn Fn(&TenantId, &mut dyn FnMut(Option<&str>)) + Send + Sync;

/// Looks a tenant's plan up, so that [`PlanOf`] knows it.
type LookUp = dyn for<'a> Fn(&'a TenantId) -> Refresh<'a> + Send + Sync;

/// A table of plans and their limits, which may change while the pool runs. Cloning shares the table.
///
/// ```
/// use pg_tenant_client::{Limits, Plans};
///
/// let plans = Plans::new(|tenant| tenant.as_str().starts_with("big").then_some("enterprise"))
///     .otherwise(Limits::new().connections(2).waiting(32))
///     .plan("enterprise", Limits::new().connections(8));
///
/// plans.set("enterprise", Limits::new().connections(12));   // of effect with each tenant's next call
/// ```
#[derive(Clone)]
pub struct Plans(Arc<Inner>);

struct Inner {
    plan_of: Box<PlanOf>,
    look_up: Option<Box<LookUp>>,
    table: RwLock<Table>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    plans: HashMap<String, Limits>,
    otherwise: Limits,
    unnamed: Limits,
}

impl Plans {
    /// A table without plans. `plan_of` returns the plan of a tenant. It is called at every checkout, so it must answer
    /// from memory.
    pub fn new<P: AsRef<str>>(plan_of: impl Fn(&TenantId) -> Option<P> + Send + Sync + 'static) -> Plans {
        let plan_of: Box<PlanOf> = Box::new(move |tenant, tell| tell(plan_of(tenant).as_ref().map(AsRef::as_ref)));
        Plans(Arc::new(Inner { plan_of, look_up: None, table: RwLock::default() }))
    }

    /// A table for plans that have to be looked up: `look_up` is awaited before each call of a tenant.
    #[cfg(feature = "directory")]
    pub(crate) fn looked_up(plan_of: Box<PlanOf>, look_up: Box<LookUp>) -> Plans {
        Plans(Arc::new(Inner { plan_of, look_up: Some(look_up), table: RwLock::default() }))
    }

    /// The limits of tenants that have no plan, or one that is not in the table. None by default.
    #[must_use]
    pub fn otherwise(self, limits: Limits) -> Plans {
        self.write(|table| table.otherwise = limits);
        self
    }

    /// The limits of one plan.
    #[must_use]
    pub fn plan(self, plan: impl Into<String>, limits: Limits) -> Plans {
        self.set(plan, limits);
        self
    }

    /// The limits of all calls together whose tenant is not known yet (see [`LimitPolicy::unnamed`]). None by default.
    #[must_use]
    pub fn for_unnamed(self, limits: Limits) -> Plans {
        self.write(|table| table.unnamed = limits);
        self
    }

    /// Adds or changes a plan. In force from each tenant's next call on.
    pub fn set(&self, plan: impl Into<String>, limits: Limits) {
        self.write(|table| table.plans.insert(plan.into(), limits));
    }

    fn write<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.0.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.0.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LimitPolicy for Plans {
    fn limits(&self, tenant: &TenantId) -> Limits {
        let mut limits = None;
        (self.0.plan_of)(tenant, &mut |plan| {
            limits = self.read(|table| plan.and_then(|plan| table.plans.get(plan)).cloned());
        });
        limits.unwrap_or_else(|| self.read(|table| table.otherwise.clone()))
    }

    fn refresh<'a>(&'a self, tenant: &'a TenantId) -> Option<Refresh<'a>> {
        self.0.look_up.as_ref().map(|look_up| look_up(tenant))
    }

    fn unnamed(&self) -> Limits {
        self.read(|table| table.unnamed.clone())
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|table| f.debug_tuple("Plans").field(table).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_changes_while_it_is_in_use() {
        let plans = Plans::new(|tenant| match tenant.as_str() {
            "acme" => Some("pro".to_owned()),
            "globex" => Some("gone".to_owned()),
            _ => None,
        });
        let plans = plans.otherwise(Limits::new().connections(1)).plan("pro", Limits::new().connections(4));
        let of = |id: &str| plans.limits(&id.parse().unwrap()).connections;
        assert_eq!([of("acme"), of("globex"), of("initech")], [Some(4), Some(1), Some(1)]);
        plans.clone().set("pro", Limits::new());
        assert_eq!(of("acme"), None);
        assert_eq!(LimitPolicy::unnamed(&plans), Limits::new());
    }
}

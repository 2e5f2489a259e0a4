//! Which tenants have a name in the metrics, so that these do not grow with the number of tenants.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use ::metrics::Label;
use pg_tenant_core::TenantId;

use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Share;

/// How many plans have a label of their own.
const MOST_PLANS: usize = 32;

/// Which label the metrics of a pool have for each tenant. With the feature `metrics`.
///
/// One time series for each tenant would be too many, so a tenant is labelled by its plan, or by its id where it is in
/// a list. All others, and without labels all, are `other`.
///
/// ```
/// use pg_tenant_client::MetricLabels;
///
/// let some = MetricLabels::tenants(["acme", "globex"]);        // tenant="acme", tenant="globex", tenant="other"
/// let plans = MetricLabels::plans(|tenant| Some("free"));      // plan="free", at most 32 of them
/// ```
#[derive(Clone)]
pub struct MetricLabels(Arc<Naming>);

type PlanOf = dyn Fn(&TenantId) -> Option<String> + Send + Sync;

enum Naming {
    Tenants(HashMap<TenantId, Arc<str>>),
    Plans { of: Box<PlanOf>, seen: RwLock<HashSet<Arc<str>>> },
}

impl MetricLabels {
    /// The label `tenant`: the id of these tenants. Texts that are no tenant id are ignored, and so are the ids
    /// `other`, `none` and `unnamed`, which have a meaning of their own.
    pub fn tenants(ids: impl IntoIterator<Item = impl IntoTenantId>) -> MetricLabels {
        let ids = ids.into_iter().filter_map(|id| id.into_tenant_id().ok()).filter(|id| !is_taken(id.as_str()));
        MetricLabels(Arc::new(Naming::Tenants(ids.map(|id| (id, Arc::from(id.as_str()))).collect())))
    }

    /// The label `plan`: the first 32 plans that are seen; `none` and `unnamed` are `other`, as above. The function is
    /// asked for each event.
    pub fn plans<P: Into<String>>(of: impl Fn(&TenantId) -> Option<P> + Send + Sync + 'static) -> MetricLabels {
        let of = Box::new(move |tenant: &TenantId| of(tenant).map(Into::into));
        MetricLabels(Arc::new(Naming::Plans { of, seen: RwLock::default() }))
    }

    pub(super) fn label(&self, share: &Share) -> Label {
        match (&*self.0, share) {
            (Naming::Tenants(ids), Share::Tenant(id)) => match ids.get(id) {
                Some(id) => Label::new("tenant", id.clone()),
                None => Label::from_static_parts("tenant", OTHER),
            },
            (Naming::Plans { of, seen }, Share::Tenant(id)) => match of(id).and_then(|plan| bounded(seen, &plan)) {
                Some(plan) => Label::new("plan", plan),
                None => Label::from_static_parts("plan", OTHER),
            },
            (Naming::Tenants(_), other) => Label::from_static_parts("tenant", no_tenant(other)),
            (Naming::Plans { .. }, other) => Label::from_static_parts("plan", no_tenant(other)),
        }
    }
}

const OTHER: &str = "other";
const UNNAMED: &str = "unnamed";
const NONE: &str = "none";

/// Whether the label is not a tenant's or a plan's.
fn is_taken(label: &str) -> bool {
    [OTHER, UNNAMED, NONE].contains(&label)
}

/// Where nobody chose labels.
pub(super) fn default_label(share: &Share) -> Label {
    Label::from_static_parts("tenant", no_tenant(share))
}

fn no_tenant(share: &Share) -> &'static str {
    match share {
        Share::Tenant(_) => OTHER,
        Share::Unnamed => UNNAMED,
        Share::NoTenant | Share::Registry => NONE,
    }
}

/// The plan, if it is one of the first that were seen.
fn bounded(seen: &RwLock<HashSet<Arc<str>>>, plan: &str) -> Option<Arc<str>> {
    if is_taken(plan) {
        return None;
    }
    if let Some(known) = seen.read().unwrap_or_else(PoisonError::into_inner).get(plan) {
        return Some(known.clone());
    }
    let mut seen = seen.write().unwrap_or_else(PoisonError::into_inner);
    if seen.len() >= MOST_PLANS && !seen.contains(plan) {
        return None;
    }
    let plan: Arc<str> = Arc::from(plan);
    seen.insert(plan.clone());
    Some(plan)
}

impl fmt::Debug for MetricLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Naming::Tenants(ids) => f.debug_tuple("Tenants").field(&ids.len()).finish(),
            Naming::Plans { .. } => f.write_str("Plans(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_or_a_plan_is_never_taken_for_none() {
        for name in [OTHER, UNNAMED, NONE] {
            let tenant = Share::Tenant(name.into_tenant_id().unwrap());
            for labels in [MetricLabels::tenants([name]), MetricLabels::plans(move |_| Some(name))] {
                assert_eq!(labels.label(&tenant).value(), OTHER);
                assert_eq!(labels.label(&Share::NoTenant).value(), NONE);
            }
        }
    }
}

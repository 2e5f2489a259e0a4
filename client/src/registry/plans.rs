//! Limits by the plan that the registry has for a tenant.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use pg_tenant_core::TenantId;

use super::directory::Directory;
use crate::pool::limits::Plans;

/// How many tenants' plans are remembered. A full table starts over: each call looks its own tenant's up before.
const CAPACITY: usize = 10_000;

#[derive(Default)]
struct Known(RwLock<HashMap<TenantId, Arc<str>>>);

impl Known {
    fn plan(&self, tenant: &TenantId) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn learn(&self, tenant: &TenantId, plan: Option<&str>) {
        if self.plan(tenant).as_deref() == plan {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        match plan {
            Some(plan) => known.insert(*tenant, plan.into()),
            None => known.remove(tenant),
        };
    }
}

impl Plans {
    /// A table without plans, where a tenant has the plan that the registry says (`tenant.create(…, plan => 'pro')`,
    /// [`TenantRecord::plan`](super::TenantRecord::plan)).
    ///
    /// ```no_run
    /// # fn example(config: pg_tenant_client::tokio_postgres::Config) -> Result<(), pg_tenant_client::Error> {
    /// use pg_tenant_client::directory::Directory;
    /// use pg_tenant_client::{Limits, Plans, TenantPool};
    ///
    /// let pool = TenantPool::builder(config.clone()).max_size(16).build()?;
    /// let directory = Directory::new(pool.clone());
    /// let _listener = directory.listen(config);
    /// let plans = Plans::from_directory(directory).otherwise(Limits::new().connections(2));
    /// pool.set_limits(plans.plan("pro", Limits::new().connections(8)));
    /// # Ok(()) }
    /// ```
    ///
    /// Before each call the tenant is looked up in the directory, which keeps what it has found. A change of plan takes
    /// effect with the tenant's next call once the directory has heard of it ([`Directory::listen`]), or when its entry
    /// has expired. While the registry cannot be asked, a tenant keeps the plan that it had, and one that is not known
    /// has the limits of [`otherwise`](Plans::otherwise).
    pub fn from_directory(directory: Directory) -> Plans {
        let known = Arc::new(Known::default());
        let learned = Arc::clone(&known);
        Plans::looked_up(
            Box::new(move |tenant, tell| tell(known.plan(tenant).as_deref())),
            Box::new(move |tenant| {
                let (directory, learned) = (directory.clone(), Arc::clone(&learned));
                Box::pin(async move {
                    if let Ok(record) = directory.by_id(tenant).await {
                        learned.learn(tenant, record.as_ref().and_then(|record| record.plan.as_deref()));
                    }
                })
            }),
        )
    }
}

//! The steps of an onboarding, and the calls that begin, claim, abandon and retry one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use pg_tenant_core::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::context::StepContext;
use super::ready::ReadyTenant;
use super::step::{Place, Step};
use crate::admin::{NewTenant, TenantAdmin};
use crate::error::{Error, Kind};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::into_id::IntoTenantId;

/// The steps that set a tenant up. See [`onboarding`](crate::onboarding).
///
/// Every call fails with `42501` where the login was not granted `tenant_admin`. Each is a transaction of its own; one
/// whose connection broke while its answer was under way is [`Error::outcome_unknown`].
///
/// Cloning shares the steps.
#[derive(Clone)]
pub struct Onboarding {
    pub(super) admin: TenantAdmin,
    pub(super) pool: TenantPool,
    pub(super) operators: Option<TenantPool>,
    places: BTreeMap<String, Arc<Place>>,
    described: Vec<Value>,
}

impl Onboarding {
    /// Without steps yet, on a pool whose login was granted `tenant_admin` and `tenant_user`, and rights on the tables
    /// that steps write. A [`Runner`](super::Runner) needs connections for the steps it works on, and one more.
    pub fn new(pool: TenantPool) -> Onboarding {
        let (admin, places, described) = (TenantAdmin::new(pool.clone()), BTreeMap::new(), Vec::new());
        Onboarding { admin, pool, operators: None, places, described }
    }

    /// The pool of steps across tenants ([`Step::in_system`]): its login was granted `tenant_user`, `tenant_system`
    /// and `tenant_admin`. By
    /// default they take the same pool.
    pub fn operators(mut self, pool: TenantPool) -> Self {
        self.operators = Some(pool);
        self
    }

    /// One more step. Of two with the same name the server refuses both, when an onboarding begins (`TN153`).
    ///
    /// Tenants that are being set up keep the steps that they were begun with, and a [`Runner`](super::Runner) takes
    /// those that it has: so take a step out when no tenant has it any more (`tenant.onboarding_state`).
    pub fn step<S, T>(mut self, step: Step<S, T>) -> Self
    where
        S: Deref<Target = StepContext> + Send + 'static,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.described.push(step.described());
        self.places.insert(step.name.clone(), Arc::new(step.into_place()));
        self
    }

    /// Registers a tenant that is being set up, with the steps that do it, and returns its canonical id. Nobody but
    /// members of `tenant_admin` enters it (`TN130`) until its last step is done. `input` is what the steps are given:
    /// a struct or a map, an object when it is written as JSON.
    ///
    /// # Errors
    /// As every call of this type; `TN004`, `TN050` where the registry has this id or slug already, `TN053` for a
    /// malformed slug or settings, `TN153` for steps or input that are malformed.
    pub async fn begin(&self, new: NewTenant, input: &impl Serialize) -> Result<TenantId, Error> {
        let id = new.id()?;
        let (steps, input) = (self.described()?, written(input)?);
        let params: [(&(dyn ToSql + Sync), Type); 7] = [
            (&id.as_str(), Type::TEXT),
            (&steps, Type::TEXT),
            (&new.name, Type::TEXT),
            (&new.slug, Type::TEXT),
            (&new.plan, Type::TEXT),
            (&new.settings, Type::TEXT),
            (&input, Type::TEXT),
        ];
        let sql = "select tenant.begin_onboarding($1, $2::jsonb, $3, $4, $5, coalesce($6, '{}')::jsonb, $7::jsonb)";
        self.admin.call(sql, &params).await?;
        Ok(id)
    }

    /// Keeps so many tenants set up in a pool, before anybody asks for them: with all steps but those that are
    /// [`at_claim`](Step::at_claim), and with random uuids for ids. Runners top the pool up.
    ///
    /// # Errors
    /// As every call of this type; `TN153` for a malformed name, target or steps.
    pub async fn keep_ready(&self, pool: &str, target: u32) -> Result<(), Error> {
        let (steps, target) = (self.described()?, i32::try_from(target).unwrap_or(i32::MAX));
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&pool, Type::TEXT), (&target, Type::INT4), (&steps, Type::TEXT)];
        self.admin.call("select tenant.set_ready_pool($1, $2, $3::jsonb)", &params).await.map(drop)
    }

    /// Gives one of the pool's ready tenants this name, slug and plan, and returns its id; `None` where none is ready,
    /// so that the caller [begins](Self::begin) one. Who asks at the same time gets another. It is active, or goes on
    /// with the steps that are [`at_claim`](Step::at_claim), which are given `input`.
    ///
    /// # Errors
    /// As every call of this type; `TN050` for a slug that is taken, `TN053` for a malformed one, `TN153` for malformed
    /// input.
    pub async fn claim_ready(
        &self,
        pool: &str,
        new: ReadyTenant,
        input: &impl Serialize,
    ) -> Result<Option<TenantId>, Error> {
        let input = written(input)?;
        let params: [(&(dyn ToSql + Sync), Type); 6] = [
            (&new.name, Type::TEXT),
            (&new.slug, Type::TEXT),
            (&new.plan, Type::TEXT),
            (&new.settings, Type::TEXT),
            (&input, Type::TEXT),
            (&pool, Type::TEXT),
        ];
        let sql = "select tenant.claim_ready_tenant($1, $2, $3, coalesce($4, '{}')::jsonb, $5::jsonb, $6)";
        let rows = self.admin.call(sql, &params).await?;
        let id: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
        id.map(|id| id.parse().map_err(Error::malformed)).transpose()
    }

    /// Gives the tenant up: what was done is undone, the last steps first, and then the tenant is purged. The reason
    /// stands in the journal.
    ///
    /// # Errors
    /// As every call of this type; `TN002` for an unknown tenant, `TN029` without a reason, `TN133` where it is set up
    /// already, `TN153` where it has no onboarding.
    pub async fn abandon(&self, tenant: impl IntoTenantId, reason: &str) -> Result<(), Error> {
        self.decide("select tenant.abandon_onboarding($1, $2)", tenant, reason).await
    }

    /// Tries the tenant's failed steps again.
    ///
    /// # Errors
    /// As every call of this type; `TN002` for an unknown tenant, `TN029` without a reason, `TN153` where it has no
    /// onboarding.
    pub async fn retry(&self, tenant: impl IntoTenantId, reason: &str) -> Result<(), Error> {
        self.decide("select tenant.retry_onboarding($1, $2)", tenant, reason).await
    }

    async fn decide(&self, sql: &str, tenant: impl IntoTenantId, reason: &str) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        self.admin.call(sql, &[(&id.as_str(), Type::TEXT), (&reason, Type::TEXT)]).await.map(drop)
    }

    fn described(&self) -> Result<String, Error> {
        written(&self.described)
    }

    pub(super) fn place(&self, step: &str) -> Option<Arc<Place>> {
        self.places.get(step).cloned()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.places.keys().map(String::as_str).collect()
    }
}

fn written(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|why| Error::new(Kind::Driver, format!("it cannot be written as JSON: {why}")).with_source(why))
}

impl fmt::Debug for Onboarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onboarding").field("steps", &self.names()).finish_non_exhaustive()
    }
}

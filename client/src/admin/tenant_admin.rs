//! The calls that manage tenants.

use pg_tenant_core::{Refusal, TenantId};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::alone::run_alone;
use super::change::TenantChange;
use super::new_tenant::NewTenant;
use super::tenant_limits::{SET_LIMITS, TenantLimits};
use crate::error::{Error, Kind};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Share;
use crate::tx::entry::Entry;
use crate::tx::options::BeginOptions;
use crate::tx::run::{Begin, run_once};
use crate::tx::tenant_tx::TenantTx;

/// Makes and manages tenants. See [`admin`](crate::admin).
///
/// Every call fails with `42501` where the login was not granted `tenant_admin`, and with `TN004` for a malformed id.
/// `select`s and changes are transactions of their own; one whose connection broke while its answer was under way is
/// [`Error::outcome_unknown`].
#[derive(Clone, Debug)]
pub struct TenantAdmin {
    pool: TenantPool,
}

impl TenantAdmin {
    /// With the connections of this pool, of a login that was granted `tenant_admin`.
    pub fn new(pool: TenantPool) -> TenantAdmin {
        TenantAdmin { pool }
    }

    /// Registers a tenant, which is active at once, and returns its canonical id.
    ///
    /// # Errors
    /// As every call of this type; `TN050` where the registry has this id or slug already, `TN053` for a malformed slug
    /// or settings.
    pub async fn create(&self, new: NewTenant) -> Result<TenantId, Error> {
        let id = new.id()?;
        self.call(&new.sql()?, &[]).await?;
        Ok(id)
    }

    /// Registers a tenant and runs a closure inside it, in one transaction: the tenant is there with all that the
    /// closure wrote, or not at all.
    ///
    /// The closure runs once the tenant has been registered and entered, which is one round trip.
    ///
    /// # Errors
    /// The closure's; those of [`create`](Self::create) and [`TenantTx::commit`]. `42501` also where the login was not
    /// granted `tenant_user`.
    pub async fn create_with<T, E, F>(&self, new: NewTenant, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        let id = new.id()?;
        run_once(&Creation { admin: self, id, create: new.sql()? }, work).await
    }

    /// Closes a tenant: from now on nobody enters it (`TN003`); transactions that are inside it end as they will. The
    /// reason stands in the journal.
    ///
    /// # Errors
    /// As every call of this type; `TN002` for an unknown tenant.
    pub async fn suspend(&self, tenant: impl IntoTenantId, reason: Option<&str>) -> Result<(), Error> {
        self.set_status("select tenant.suspend($1, $2)", tenant, reason).await
    }

    /// Opens a tenant again that was suspended.
    ///
    /// # Errors
    /// Those of [`suspend`](Self::suspend).
    pub async fn resume(&self, tenant: impl IntoTenantId, reason: Option<&str>) -> Result<(), Error> {
        self.set_status("select tenant.resume($1, $2)", tenant, reason).await
    }

    /// Gives a tenant another name. Its id stays.
    ///
    /// # Errors
    /// Those of [`change`](Self::change).
    pub async fn rename(&self, tenant: impl IntoTenantId, name: &str) -> Result<(), Error> {
        self.change(tenant, TenantChange::new().name(name)).await
    }

    /// Changes name, slug, plan or settings of a tenant.
    ///
    /// # Errors
    /// As every call of this type; `TN002` for an unknown tenant, `23505` ([`Error::is_unique_violation`]) for the slug
    /// of another one, `23514` for a malformed slug or settings.
    pub async fn change(&self, tenant: impl IntoTenantId, change: TenantChange) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        if change.columns.is_empty() {
            return Ok(());
        }
        let key = id.as_str();
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&key, Type::TEXT)];
        params.extend(change.columns.iter().map(|(_, value)| (value as &(dyn ToSql + Sync), Type::TEXT)));
        if self.call(&change.sql(), &params).await?.is_empty() {
            let unknown = Error::new(Kind::Server, format!("unknown tenant \"{id}\""));
            return Err(unknown.with_code(Refusal::UnknownTenant.code()).not_executed());
        }
        Ok(())
    }

    /// Sets the limits of a tenant's transactions, all of them: they hold from each one's next transaction on.
    ///
    /// # Errors
    /// As every call of this type; `TN002` for an unknown tenant, `TN051` for a limit that is out of range.
    pub async fn set_limits(&self, tenant: impl IntoTenantId, limits: TenantLimits) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        let (key, values) = (id.as_str(), limits.values());
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&key, Type::TEXT)];
        params.extend(values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)));
        self.call(SET_LIMITS, &params).await.map(drop)
    }

    async fn set_status(&self, sql: &str, tenant: impl IntoTenantId, reason: Option<&str>) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        self.call(sql, &[(&id.as_str(), Type::TEXT), (&reason, Type::TEXT)]).await.map(drop)
    }

    /// Runs one statement, with no tenant entered and in a transaction of its own.
    pub(crate) async fn call(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        run_alone(&self.pool, sql, params).await.map_err(of_an_admin)
    }
}

pub(crate) fn of_an_admin(error: Error) -> Error {
    match (error.code(), error.hint()) {
        (Some("42501"), None) => error.with_hint("grant tenant_admin to the role this pool connects as"),
        _ => error,
    }
}

/// A transaction that registers a tenant and enters it.
struct Creation<'a> {
    admin: &'a TenantAdmin,
    id: TenantId,
    create: String,
}

impl Begin for Creation<'_> {
    type Tx = TenantTx;

    fn named_tenant(&self) -> Option<&TenantId> {
        Some(&self.id)
    }

    async fn begin(&self) -> Result<TenantTx, Error> {
        let pool = &self.admin.pool;
        let method = Entry::tenant(self.id).method(
            #[cfg(feature = "sign")]
            pool.signer.as_ref(),
        )?;
        let lease = pool.lease_for(Share::NoTenant, None).await?;
        let options = BeginOptions { read_only: Some(false), ..BeginOptions::default() };
        let mut tx = TenantTx::creating(pool.clone(), lease, method, &options, &self.create);
        tx.enter().await.map_err(of_an_admin)?;
        Ok(tx)
    }
}

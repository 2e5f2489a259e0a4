//! Managing tenants over sqlx.

use std::fmt;
use std::panic::Location;

use ::sqlx::AssertSqlSafe;
use ::sqlx::postgres::PgRow;
use pg_tenant_core::{Refusal, TenantId};

use super::begin::begin_creating;
use super::lease::Lease;
use super::pool::TenantPool;
use super::tenant_tx::TenantTx;
use crate::admin::{NewTenant, SET_LIMITS, TenantChange, TenantLimits, of_an_admin};
use crate::error::{Error, Kind};
use crate::pool::lease::Wire;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Share;
use crate::tx::entry::Entry;
use crate::tx::options::BeginOptions;
use crate::tx::run::{Begin, run_once};

/// As [`admin::TenantAdmin`](crate::admin::TenantAdmin), over sqlx: the same calls, errors and rights.
#[derive(Clone)]
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
    /// Those of [`create`](crate::admin::TenantAdmin::create).
    pub async fn create(&self, new: NewTenant) -> Result<TenantId, Error> {
        let id = new.id()?;
        self.call(&new.sql()?, &[]).await?;
        Ok(id)
    }

    /// Registers a tenant and runs a closure inside it, in one transaction: the tenant is there with all that the
    /// closure wrote, or not at all.
    ///
    /// # Errors
    /// Those of [`create_with`](crate::admin::TenantAdmin::create_with).
    pub async fn create_with<T, E, F>(&self, new: NewTenant, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        let id = new.id()?;
        run_once(&Creation { pool: &self.pool, id, create: new.sql()? }, work).await
    }

    /// Closes a tenant: from now on nobody enters it (`TN003`); transactions that are inside it end as they will. The
    /// reason stands in the journal.
    ///
    /// # Errors
    /// Those of [`suspend`](crate::admin::TenantAdmin::suspend).
    pub async fn suspend(&self, tenant: impl IntoTenantId, reason: Option<&str>) -> Result<(), Error> {
        self.call_for("select tenant.suspend($1, $2)", tenant, &[reason]).await
    }

    /// Opens a tenant again that was suspended.
    ///
    /// # Errors
    /// Those of [`suspend`](Self::suspend).
    pub async fn resume(&self, tenant: impl IntoTenantId, reason: Option<&str>) -> Result<(), Error> {
        self.call_for("select tenant.resume($1, $2)", tenant, &[reason]).await
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
    /// Those of [`change`](crate::admin::TenantAdmin::change).
    pub async fn change(&self, tenant: impl IntoTenantId, change: TenantChange) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        let Some((sql, values)) = change.statement() else { return Ok(()) };
        let params: Vec<_> = [Some(id.as_str())].into_iter().chain(values).collect();
        if self.call(&sql, &params).await?.is_empty() {
            let unknown = Error::new(Kind::Server, format!("unknown tenant \"{id}\""));
            return Err(unknown.with_code(Refusal::UnknownTenant.code()).not_executed());
        }
        Ok(())
    }

    /// Sets the limits of a tenant's transactions, all of them: they hold from each one's next transaction on.
    ///
    /// # Errors
    /// Those of [`set_limits`](crate::admin::TenantAdmin::set_limits).
    pub async fn set_limits(&self, tenant: impl IntoTenantId, limits: TenantLimits) -> Result<(), Error> {
        let values = limits.values();
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        self.call_for(SET_LIMITS, tenant, &values).await
    }

    async fn call_for(&self, sql: &str, tenant: impl IntoTenantId, values: &[Option<&str>]) -> Result<(), Error> {
        let id = tenant.into_tenant_id().map_err(Error::malformed)?;
        let params: Vec<_> = [Some(id.as_str())].into_iter().chain(values.iter().copied()).collect();
        self.call(sql, &params).await.map(drop)
    }

    /// Runs one statement of ours, with no tenant entered and in a transaction of its own.
    async fn call(&self, sql: &str, params: &[Option<&str>]) -> Result<Vec<PgRow>, Error> {
        let pool = &self.pool;
        let patience = pool.pool.options().get_acquire_timeout();
        let mut permit = Some(pool.admission.admit(Share::NoTenant, Some(patience)).await?);
        for spare in (0..=pool.pool.size()).rev() {
            let lease = Lease::new(&pool.pool, pool.pooler, permit).await;
            let mut lease = lease.map_err(|error| Error::from(error).not_executed())?;
            // sqlx sends a statement in two parts, which a pooler could give to two sessions.
            lease.state.open = true;
            lease.run("begin".to_owned()).await.map_err(|error| Error::from(error).not_executed())?;
            let (connection, state) = lease.parts();
            state.wire = Wire::Awaiting;
            let query = ::sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
            let answer = params.iter().fold(query, |query, param| query.bind(*param)).fetch_all(connection).await;
            state.wire = Wire::Quiet;
            let error = match answer {
                Ok(rows) => {
                    lease.run("commit".to_owned()).await.map_err(Error::at_commit)?;
                    lease.state.open = false;
                    return Ok(rows);
                }
                Err(error) => Error::from(error),
            };
            // It was not committed. What an earlier borrower left, such as SET ROLE, may be the reason.
            if error.code() != Some("42501") || spare == 0 {
                return Err(of_an_admin(error));
            }
            permit = lease.give_up();
        }
        Err(Error::interrupted())
    }
}

impl fmt::Debug for TenantAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantAdmin").field("pool", &self.pool).finish()
    }
}

/// A transaction that registers a tenant and enters it.
struct Creation<'a> {
    pool: &'a TenantPool,
    id: TenantId,
    create: String,
}

impl Begin for Creation<'_> {
    type Tx = TenantTx;

    fn named_tenant(&self) -> Option<&TenantId> {
        Some(&self.id)
    }

    async fn begin(&self) -> Result<TenantTx, Error> {
        let method = Entry::tenant(self.id).method(
            #[cfg(feature = "sign")]
            self.pool.signer.as_ref(),
        )?;
        let options = BeginOptions { read_only: Some(false), ..BeginOptions::default() };
        let site = Some(Location::caller());
        let begun = begin_creating(self.pool, Share::NoTenant, &method, &options, site, &self.create).await;
        let (lease, _) = begun.map_err(of_an_admin)?;
        Ok(TenantTx::new(lease, self.id, None, None))
    }
}

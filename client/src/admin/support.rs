//! The calls of support.

use std::time::Duration;

use pg_tenant_core::{MalformedTenantId, TenantId};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::alone::run_alone;
use crate::error::{Error, Kind};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::into_id::IntoTenantId;

/// Asks for grants by which support works in a tenant, approves and ends them. With the connections of a login that was
/// granted `tenant_support`, and no other right to enter tenants.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::TenantPool;
/// use pg_tenant_client::admin::{NewImpersonation, Support};
///
/// let pool = TenantPool::builder("host=localhost user=support dbname=shop".parse()?).max_size(2).build()?;
/// let support = Support::new(pool.clone());
///
/// let grant = support.ask(NewImpersonation::new("acme", "ticket 12: an invoice is missing").as_user("ann")).await?;
/// let orders = pool.impersonate(&grant).query("select id from orders", &[]).await?;
/// support.end(grant.id(), Some("found")).await?;
/// # Ok(()) }
/// ```
///
/// Every call fails with `42501` where the login was not granted `tenant_support`, and `TN158` for what support may not
/// do.
#[derive(Clone, Debug)]
pub struct Support {
    pool: TenantPool,
}

/// What support asks for.
#[derive(Clone, Debug)]
#[must_use = "give it to Support::ask"]
pub struct NewImpersonation {
    tenant: Result<TenantId, MalformedTenantId>,
    reason: String,
    as_user: Option<String>,
    lasts: Option<Duration>,
    write: bool,
    actor: Option<String>,
}

impl NewImpersonation {
    /// To read in this tenant, for 15 minutes, without a user. The tenant reads the reason.
    pub fn new(tenant: impl IntoTenantId, reason: impl Into<String>) -> NewImpersonation {
        let tenant = tenant.into_tenant_id();
        NewImpersonation { tenant, reason: reason.into(), as_user: None, lasts: None, write: false, actor: None }
    }

    /// In the place of this user, with its permissions.
    pub fn as_user(mut self, user: impl Into<String>) -> Self {
        self.as_user = Some(user.into());
        self
    }

    /// For so long, at most `pg_tenant.max_impersonation`.
    pub fn lasts(mut self, time: Duration) -> Self {
        self.lasts = Some(time);
        self
    }

    /// For writing too.
    pub fn write(mut self) -> Self {
        self.write = true;
        self
    }

    /// Who uses the login, where several people do.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }
}

impl Support {
    /// With the connections of this pool, of a login that was granted `tenant_support`.
    pub fn new(pool: TenantPool) -> Support {
        Support { pool }
    }

    /// Asks to work in a tenant. Where `pg_tenant.impersonation_approval` is on, the grant opens nothing until somebody
    /// else has approved it.
    ///
    /// # Errors
    /// As every call of this type; `TN002` unknown tenant, `TN004` malformed id, `TN029` no reason, `TN100` a reason
    /// that would forge a line of a log, `TN141` malformed user.
    pub async fn ask(&self, new: NewImpersonation) -> Result<Impersonation, Error> {
        let id = new.tenant.map_err(Error::malformed)?;
        let seconds = new.lasts.map(|lasts| lasts.as_secs_f64());
        let sql = "select tenant.impersonate($1, $2, $3, \
            coalesce(pg_catalog.make_interval(secs => $4), '15 minutes'), $5, $6)::text, \
            pg_catalog.concat_ws(':', session_user::text, $6)";
        let rows = run_alone(
            &self.pool,
            sql,
            &[
                (&id.as_str(), Type::TEXT),
                (&new.as_user, Type::TEXT),
                (&new.reason, Type::TEXT),
                (&seconds, Type::FLOAT8),
                (&new.write, Type::BOOL),
                (&new.actor, Type::TEXT),
            ],
        )
        .await
        .map_err(of_support)?;
        let row = rows.first().ok_or_else(|| Error::new(Kind::Driver, "asking returned nothing"))?;
        let grant = parse(row.try_get(0)?)?;
        Ok(Impersonation::new(grant, id, new.as_user, row.try_get(1)?))
    }

    /// A grant that is open or waits for approval, by its id. `None` where there is none, or it has ended.
    ///
    /// # Errors
    /// As every call of this type.
    pub async fn find(&self, id: Uuid) -> Result<Option<Impersonation>, Error> {
        let sql = "select tenant_id, as_user, impersonator from tenant.open_impersonations where id = $1::text::uuid";
        let rows = run_alone(&self.pool, sql, &[(&id.to_string(), Type::TEXT)]).await.map_err(of_support)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let tenant = row.try_get::<_, &str>(0)?.parse().map_err(Error::malformed)?;
        Ok(Some(Impersonation::new(id, tenant, row.try_get(1)?, row.try_get(2)?)))
    }

    /// Approves what another has asked for.
    ///
    /// # Errors
    /// As every call of this type: `TN158` by the same person; `TN159` for one that has ended or was asked for more
    /// than a day ago.
    pub async fn approve(&self, id: Uuid) -> Result<(), Error> {
        let sql = "select tenant.approve_impersonation($1::text::uuid)";
        run_alone(&self.pool, sql, &[(&id.to_string(), Type::TEXT)]).await.map(drop).map_err(of_support)
    }

    /// Ends a grant: the next statement of a transaction that works by it is refused.
    ///
    /// # Errors
    /// As every call of this type.
    pub async fn end(&self, id: Uuid, reason: Option<&str>) -> Result<(), Error> {
        let sql = "select tenant.end_impersonation($1::text::uuid, $2)";
        let params: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&id.to_string(), Type::TEXT), (&reason, Type::TEXT)];
        run_alone(&self.pool, sql, params).await.map(drop).map_err(of_support)
    }
}

fn parse(id: &str) -> Result<Uuid, Error> {
    id.parse().map_err(|_| Error::new(Kind::Driver, "asking returned no id"))
}

fn of_support(error: Error) -> Error {
    match (error.code(), error.hint()) {
        (Some("42501"), None) => error.with_hint("grant tenant_support to the role this pool connects as"),
        _ => error,
    }
}

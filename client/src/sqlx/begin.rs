//! Beginning over sqlx: finds a connection that works, and enters on it.

use std::sync::Arc;

use ::sqlx::Row;
use pg_tenant_core::{Refusal, TenantId};

use super::cleanup::Transaction;
use super::entering::{Entering, generation};
use super::error::code;
use super::lease::Lease;
use super::pool::TenantPool;
use crate::error::{Error, Kind};
use crate::observe::{Call, Whose};
use crate::pool::admission::Site;
use crate::pool::pooler::{MOST_ENDED, end_session};
use crate::pool::version;
use crate::tenant::share::Share;
use crate::tx::entry::EntryMethod;
use crate::tx::options::BeginOptions;
use crate::tx::scope::TxScope;

/// Begins and enters in one round trip; with a token in two. Returns the tenant's id,
/// except in the system context. The connection counts against `share` of the pool.
///
/// A connection that turns out broken or dirty is given up and another is taken: nothing was executed yet.
pub(super) async fn begin(
    pool: &TenantPool,
    share: Share,
    method: &EntryMethod,
    options: &BeginOptions,
    site: Site,
    consume: Option<String>,
) -> Result<(Lease, Option<TenantId>), Error> {
    let call = Call::of("begin", Whose { tenant: share.tenant(), by: method.by() });
    let first = First { create: None, consume };
    let begun = call.watch(enter(pool, share, method, options, site, first, &call)).await;
    call.ended(&begun);
    begun
}

/// As [`begin`], in a tenant that this statement makes before it is entered.
pub(super) async fn begin_creating(
    pool: &TenantPool,
    share: Share,
    method: &EntryMethod,
    options: &BeginOptions,
    site: Site,
    create: &str,
) -> Result<(Lease, Option<TenantId>), Error> {
    let call = Call::of("begin", share.tenant());
    let first = First { create: Some(create), consume: None };
    let begun = call.watch(enter(pool, share, method, options, site, first, &call)).await;
    call.ended(&begun);
    begun
}

/// What is done besides: before the tenant is entered, and behind that.
struct First<'a> {
    create: Option<&'a str>,
    consume: Option<String>,
}

async fn enter(
    pool: &TenantPool,
    share: Share,
    method: &EntryMethod,
    options: &BeginOptions,
    site: Site,
    first: First<'_>,
    call: &Call,
) -> Result<(Lease, Option<TenantId>), Error> {
    // Every connection that is there may be of no use, and one more may be made meanwhile. (sqlx's count of idle ones
    // is below zero, which is usize::MAX, while one is taken as another is returned.)
    let mut spare = pool.pool.size() as usize + 1;
    let mut retries = 0;
    if pool.pooler.lends_sessions() {
        spare += MOST_ENDED;
    }
    let patience = pool.pool.options().get_acquire_timeout();
    let permit = pool.admission.admit_from(share, Some(patience), site).await?;
    let mut entering = Entering::new(method, &options.within(Some(&permit)));
    let First { create, consume } = first;
    if let Some(create) = create {
        entering.begin.insert_str(options.begin().len(), &format!("; {create}"));
    }
    if let Some(consume) = consume {
        // A column behind those of entering, and so after it.
        let column = format!(", ({consume}) as consumed");
        match &mut entering.signed {
            Some((signed, _)) => signed.push_str(&column),
            None => entering.begin.push_str(&column),
        }
    }
    let entering = Arc::new(entering);
    let mut permit = Some(permit);
    loop {
        let lease = Lease::new(&pool.pool, pool.pooler, permit).await;
        let mut lease = lease.map_err(|error| Error::from(error).not_executed())?;
        lease.state.open = true;
        match lease.enter(&entering).await {
            Ok(rows) => {
                let row = rows.last().ok_or_else(|| Error::new(Kind::Driver, "entering returned nothing"))?;
                let id = match method {
                    EntryMethod::System(..) => None,
                    EntryMethod::In(..) | EntryMethod::Signed(..) | EntryMethod::By(_) => {
                        Some(row.try_get::<&str, _>(0)?.parse().map_err(Error::malformed)?)
                    }
                };
                version::check(row.try_get(3)?)?;
                if let (EntryMethod::Signed(_, token), Some(permit), Some(id)) = (method, &mut lease.state.permit, id) {
                    permit.learn(token, id);
                }
                lease.transaction = Transaction::of(Some(row));
                if let Some(transaction) = &lease.transaction {
                    let pid = transaction.pid;
                    lease.learn_of_changes(pid, &pool.changes).await?;
                }
                lease.generation = generation(Some(row));
                lease.entering = Some(entering);
                call.tenant(id.as_ref());
                return Ok((lease, id));
            }
            Err(error) => {
                let fault = is_the_connections_fault(&error);
                lease.state.discard = fault;
                if pool.pooler.lends_sessions() && fault && error.as_database_error().is_some() {
                    // The transaction has failed and is open, so this reaches the session that is dirty.
                    let _ = lease.run(end_session()).await;
                }
                if !fault || spare == 0 {
                    lease.state.refused(&error);
                    if code(&error).as_deref() == Some("42883") {
                        is_of_another_version(&mut lease).await?;
                    }
                    return Err(Error::from(error).at_entry_of(&TxScope::by(method)).not_executed());
                }
                spare -= 1;
                retries += 1;
                call.retries(retries);
                permit = lease.give_up();
            }
        }
    }
}

/// Something that is called in entering is not there: an older extension may have had none yet.
async fn is_of_another_version(lease: &mut Lease) -> Result<(), Error> {
    match lease.run("rollback; select tenant.version()".to_owned()).await {
        Ok(rows) => rows.first().map_or(Ok(()), |row| version::check(row.try_get(0)?)),
        Err(_) => Ok(()),
    }
}

impl TenantPool {
    /// Checks that the server is reachable and has the right extension: connects, unless an idle connection is there.
    /// Call it at start-up, so that a mistake shows before the first request. A server that is full or starting is
    /// waited for, for as long as `acquire_timeout` says.
    ///
    /// # Errors
    /// [`Error::is_timeout`] or the driver's where it cannot connect; [`Error::is_extension_missing`] (`3F000`,
    /// `42883`); [`Error::is_version_mismatch`]; `42501` where the role was not granted `tenant_user`.
    pub async fn check(&self) -> Result<(), Error> {
        check(self).await
    }
}

/// Whether there is a connection, and behind it the right extension.
async fn check(pool: &TenantPool) -> Result<(), Error> {
    let patience = pool.pool.options().get_acquire_timeout();
    let mut permit = Some(pool.admission.admit(Share::NoTenant, Some(patience)).await?);
    for spare in (0..=pool.pool.size()).rev() {
        let lease = Lease::new(&pool.pool, pool.pooler, permit).await;
        let mut lease = lease.map_err(|error| Error::from(error).not_executed())?;
        // What an earlier borrower left, such as SET ROLE, may be the reason of a failure.
        match lease.run("select tenant.version()".to_owned()).await {
            Ok(rows) => {
                let row = rows.first().ok_or_else(|| Error::new(Kind::Driver, "tenant.version() returned nothing"))?;
                return version::check(row.try_get(0)?);
            }
            Err(error) if spare == 0 || !is_the_connections_fault(&error) => {
                return Err(Error::from(error).at_entry().not_executed());
            }
            Err(_) => permit = lease.give_up(),
        }
    }
    Err(Error::interrupted())
}

/// Whether entering failed because of what the connection carries, or because it is broken, rather than because of the
/// tenant or the database. Only begin and enter were sent, so another may be tried in either case.
fn is_the_connections_fault(error: &::sqlx::Error) -> bool {
    match error {
        ::sqlx::Error::Database(db) => {
            let code = db.code().unwrap_or_default();
            match Refusal::from_code(&code) {
                Some(refusal) => refusal == Refusal::SessionNotPristine,
                None => !matches!(&*code, "3F000" | "42883"),
            }
        }
        ::sqlx::Error::Io(_) | ::sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}

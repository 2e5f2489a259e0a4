//! An open transaction over sqlx: what a tenant's and one in the system context have in common.

use std::fmt;

use ::sqlx::Row;
use ::sqlx::postgres::PgRow;

use super::lease::{CallState, Lease};
use crate::error::Error;
use crate::observe::{Call, Meter, Whose};
use crate::pool::cleanup::roll_back;
use crate::pool::lease::Wire;
use crate::tenant::charge::Riding;
use crate::tenant::impersonation::Impersonation;
use crate::tx::health::Health;
use crate::tx::scope::TxScope;
use crate::wire::preamble::savepoint_name;
use crate::wire::sql::{COMMIT, COMMIT_AND_FORGET};

pub(crate) struct OpenTx {
    pub(super) lease: Lease,
    scope: TxScope,
    /// The grant that it works by.
    pub(super) by: Option<Impersonation>,
    /// How many savepoints are open.
    pub(super) savepoints: u32,
    /// What its request was charged for as it began.
    pub(super) riding: Option<Riding>,
}

/// What the closure of a savepoint gets.
pub(super) trait Handle {
    fn open(&mut self) -> &mut OpenTx;

    /// For its last statement.
    fn into_open(self) -> OpenTx;
}

impl Handle for OpenTx {
    fn open(&mut self) -> &mut OpenTx {
        self
    }

    fn into_open(self) -> OpenTx {
        self
    }
}

impl OpenTx {
    pub(super) fn new(lease: Lease, scope: TxScope) -> OpenTx {
        OpenTx { lease, scope, by: None, savepoints: 0, riding: None }
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        let call = Call::of("commit", self.whose());
        let done = call.watch(self.send_commit()).await;
        call.ended(&done);
        done
    }

    async fn send_commit(mut self) -> Result<(), Error> {
        self.usable()?;
        let commit = if self.lease.state.borrowed_name { COMMIT_AND_FORGET } else { COMMIT };
        let rows = match self.lease.run_fixed(commit).await {
            Ok(rows) => rows,
            Err(error) => {
                let failed = error.as_database_error().is_some_and(|db| db.code().as_deref() == Some("25P02"));
                if failed {
                    self.lease.state.count(Meter::probe_failure);
                } else {
                    self.lease.state.refused(&error);
                }
                return Err(if failed { Error::failed(None).with_source(error) } else { Error::at_commit(error) });
            }
        };
        self.check_commit(rows.first())
    }

    /// What became of a commit, by its probe.
    pub(super) fn check_commit(&mut self, probe: Option<&PgRow>) -> Result<(), Error> {
        let found = probe.and_then(|row| row.try_get::<Option<String>, _>(0).ok()).flatten();
        if !self.scope.is(found.as_deref()) {
            self.lease.state.discard = true;
            self.lease.state.count(Meter::probe_failure);
            return Err(Error::tenant_lost(&self.scope, found.as_deref()));
        }
        self.lease.state.open = false;
        if let Some(riding) = &self.riding {
            riding.keep();
        }
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> Result<(), Error> {
        self.usable()?;
        let call = Call::of("rollback", self.whose());
        let rolled_back =
            call.watch(self.lease.run_fixed(roll_back(self.lease.state.borrowed_name))).await.map_err(Error::from);
        call.ended(&rolled_back);
        self.lease.state.open = rolled_back.is_err();
        rolled_back.map(drop)
    }

    /// Whose statements these are.
    pub(super) fn whose(&self) -> Whose<'_> {
        Whose { tenant: self.scope.tenant(), by: self.by.as_ref() }
    }

    fn health(&mut self) -> &mut Health {
        &mut self.lease.state.health
    }

    pub(super) fn serialization_failed(&self) -> bool {
        self.lease.state.health.serialization_failed()
    }

    /// Whether a call may follow.
    pub(super) fn usable(&self) -> Result<(), Error> {
        let CallState { wire, health, .. } = &self.lease.state;
        if *wire == Wire::Awaiting { Err(Error::interrupted()) } else { health.check() }
    }
}

pub(super) async fn savepoint<H, T, E, F>(handle: &mut H, work: F) -> Result<T, E>
where
    H: Handle,
    F: AsyncFnOnce(&mut H) -> Result<T, E>,
    E: From<Error>,
{
    let call = Call::of("savepoint", handle.open().whose());
    call.watch(run_savepoint(handle, work)).await
}

async fn run_savepoint<H, T, E, F>(handle: &mut H, work: F) -> Result<T, E>
where
    H: Handle,
    F: AsyncFnOnce(&mut H) -> Result<T, E>,
    E: From<Error>,
{
    let tx = handle.open();
    tx.usable()?;
    tx.savepoints += 1;
    let name = savepoint_name(tx.savepoints);
    // Until the end, so that dropping this future at any await leaves it interrupted.
    tx.health().interrupt();
    if let Err(error) = tx.lease.run(format!("savepoint {name}")).await {
        tx.savepoints -= 1;
        tx.health().recover();
        return Err(Error::from(error).into());
    }
    let inside = Inside { handle };
    inside.handle.open().health().recover();
    let result = work(inside.handle).await;
    drop(inside);

    let tx = handle.open();
    let ended = match &result {
        Ok(_) => tx.lease.run(format!("release {name}")).await.err(),
        Err(_) => None,
    };
    let mut undone = Ok(Vec::new());
    if result.is_err() || ended.is_some() {
        undone = tx.lease.run(format!("rollback to {name}; release {name}")).await;
    }
    tx.savepoints -= 1;
    if undone.is_ok() {
        tx.health().recover();
    }
    match (result, ended) {
        (Ok(_), Some(error)) => {
            let error = Error::from(error);
            Err(if error.code() == Some("25P02") { Error::undone(None) } else { error }.into())
        }
        (result, _) => result,
    }
}

/// The closure of a savepoint is running. Dropped, whether it finished or not, it leaves the transaction refusing until
/// the savepoint has been ended.
struct Inside<'tx, H: Handle> {
    handle: &'tx mut H,
}

impl<H: Handle> Drop for Inside<'_, H> {
    fn drop(&mut self) {
        self.handle.open().health().interrupt();
    }
}

impl fmt::Debug for OpenTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("OpenTx");
        out.field("scope", &self.scope).field("wire", &self.lease.state.wire);
        out.field("savepoints", &self.savepoints).finish()
    }
}

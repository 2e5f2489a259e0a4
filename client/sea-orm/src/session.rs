//! The one transaction beneath a [`TenantTransaction`](crate::TenantTransaction) and those nested in it.

use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pg_tenant_client::sqlx::TenantTx;
use sea_orm::DbErr;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard};

use crate::error::ended;
use crate::statement::execute_text;

/// The number of the outermost transaction. Nested ones have numbers that are not used again.
pub(crate) const OUTERMOST: u64 = 0;

pub(crate) struct Session {
    state: AsyncMutex<State>,
    /// Transactions that were dropped without an end: the next call undoes them first. Dropping cannot wait.
    dropped: Mutex<Vec<u64>>,
}

/// What is there while nothing runs.
struct State {
    /// `None` once it has ended.
    tx: Option<TenantTx>,
    /// The nested transactions that are open, from the outside in. Each is a savepoint.
    nested: Vec<u64>,
    last: u64,
    /// A savepoint is being made or ended. Left set, a call was dropped half-way, and which are open is unknown.
    unsettled: bool,
}

/// The session, held by one call.
pub(crate) struct Held<'s>(AsyncGuard<'s, State>);

fn savepoint(number: u64) -> String {
    format!("pg_tenant_sea_orm_{number}")
}

impl Session {
    pub(crate) fn new(tx: TenantTx) -> Session {
        let state = State { tx: Some(tx), nested: Vec::new(), last: OUTERMOST, unsettled: false };
        Session { state: AsyncMutex::new(state), dropped: Mutex::default() }
    }

    /// For a call of this transaction. Undoes first what was dropped.
    pub(crate) async fn hold(&self, number: u64) -> Result<Held<'_>, DbErr> {
        let mut held = Held(self.state.lock().await);
        let dropped = take(&mut *self.dropped());
        if held.0.unsettled || dropped.contains(&OUTERMOST) {
            held.0.tx = None; // rolls back
        }
        let outermost = held.0.nested.iter().copied().find(|open| dropped.contains(open));
        if let (Some(dropped), Some(_)) = (outermost, &held.0.tx) {
            held.undo(dropped).await?;
        }
        if held.0.tx.is_none() || number != OUTERMOST && !held.0.nested.contains(&number) {
            return Err(ended());
        }
        Ok(held)
    }

    /// This transaction was dropped without an end.
    pub(crate) fn note_dropped(&self, number: u64) {
        self.dropped().push(number);
        if number == OUTERMOST
            && let Ok(mut state) = self.state.try_lock()
        {
            state.tx = None; // rolls back
        }
    }

    fn dropped(&self) -> MutexGuard<'_, Vec<u64>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    pub(crate) fn tx(&mut self) -> &mut TenantTx {
        self.0.tx.as_mut().expect("hold() has looked")
    }

    /// Takes the transaction, to end it.
    pub(crate) fn take(mut self) -> TenantTx {
        self.0.tx.take().expect("hold() has looked")
    }

    /// Begins one inside. Returns its number.
    pub(crate) async fn nest(&mut self) -> Result<u64, DbErr> {
        self.0.last += 1;
        let number = self.0.last;
        self.settle(&format!("savepoint {}", savepoint(number))).await?;
        self.0.nested.push(number);
        Ok(number)
    }

    /// Keeps what this one did, and those inside it.
    pub(crate) async fn release(&mut self, number: u64) -> Result<(), DbErr> {
        self.settle(&format!("release savepoint {}", savepoint(number))).await?;
        self.forget(number);
        Ok(())
    }

    /// Undoes what this one did, and those inside it.
    pub(crate) async fn undo(&mut self, number: u64) -> Result<(), DbErr> {
        let name = savepoint(number);
        self.settle(&format!("rollback to savepoint {name}; release savepoint {name}")).await?;
        self.forget(number);
        Ok(())
    }

    fn forget(&mut self, number: u64) {
        let outer = self.0.nested.iter().take_while(|open| **open != number).count();
        self.0.nested.truncate(outer);
    }

    /// Refused, the savepoints are as they were.
    async fn settle(&mut self, sql: &str) -> Result<(), DbErr> {
        self.0.unsettled = true;
        let done = execute_text(self.tx(), sql).await;
        self.0.unsettled = false;
        done.map(drop)
    }
}

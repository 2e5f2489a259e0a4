//! `&mut TenantTx` and `&mut SystemTx` as sqlx executors: the connection's own, with the lease marked while it runs.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::sqlx::postgres::{PgRow, PgStatement, PgTypeInfo};
use ::sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

use super::danger::SystemTx;
use super::error::{code, into_sqlx, is_stale, may_be_stale};
use super::lease::{Asked, CallState};
use super::open_tx::{Handle, OpenTx};
use super::statement::{Named, Step, Watched};
use super::tenant_tx::TenantTx;
use crate::observe::{Call, Meter};
use crate::pool::lease::Wire;
use crate::tenant::share::Share;

impl OpenTx {
    pub(super) fn executor(&mut self) -> Result<(&mut PgConnection, &mut CallState), Error> {
        self.executor_for(Asked::Anything)
    }

    /// For what asks this.
    pub(super) fn executor_for(&mut self, asks: Asked) -> Result<(&mut PgConnection, &mut CallState), Error> {
        self.usable().map_err(into_sqlx)?;
        let (connection, state) = self.lease.parts();
        state.asked = state.asked.max(asks);
        Ok((connection, state))
    }

    /// What a statement returns, while it comes.
    pub(super) fn steps(&mut self, query: Watched) -> BoxStream<'_, Step> {
        let call = Call::statement(query.text(), self.whose());
        if query.check_arguments().is_ok() && self.may_be_begun_anew(&query) {
            return self.steps_fresh(query, call).boxed();
        }
        match query.check_arguments().map_err(into_sqlx).and_then(|()| self.executor_for(query.asks())) {
            Ok((connection, state)) => {
                let query = Named { query, never: state.nameless };
                Marked { steps: connection.fetch_many(query), state, call, rows: 0 }.boxed()
            }
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// Its first row, if there is one.
    pub(super) async fn first(&mut self, query: Watched) -> Result<Option<PgRow>, Error> {
        let call = Call::statement(query.text(), self.whose());
        query.check_arguments().map_err(into_sqlx)?;
        let row = call.watch(self.first_fresh(query)).await;
        match &row {
            Ok(row) => call.rows(u64::from(row.is_some())),
            Err(error) => call.failed_with(code(error)),
        }
        row
    }
}

macro_rules! executor {
    ($tx:ty) => {
        impl<'c> Executor<'c> for &'c mut $tx {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                self.open().steps(Watched::new(query))
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                Box::pin(self.open().first(Watched::new(query)))
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let (connection, state) = self.open().executor()?;
                    state.lend_name();
                    state.watch(connection.prepare_with(sql, parameters)).await
                })
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let (connection, state) = self.open().executor()?;
                    state.lend_name();
                    state.watch(connection.describe(sql)).await
                })
            }
        }
    };
}

executor!(TenantTx);
executor!(SystemTx);
executor!(OpenTx);

impl CallState {
    /// sqlx names what it prepares for its own sake. The connection's cache would use the name in another session.
    fn lend_name(&mut self) {
        self.borrowed_name |= self.nameless;
        self.discard |= self.nameless;
    }

    /// Marks while a call runs. Its answer may be read past by the next call, so the mark is not one that refuses.
    async fn watch<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.wire = Wire::Streaming;
        let answer = call.await;
        self.wire = Wire::Quiet;
        if let Err(error) = &answer {
            self.learn(error);
        }
        answer
    }

    /// A connection whose prepared statements were taken away fails the next borrower as well. One on which the server
    /// waits for the rows of a COPY answers nobody.
    pub(super) fn learn(&mut self, error: &Error) {
        self.discard |= matches!(error, Error::Protocol(_));
        let code = code(error);
        self.stale |= may_be_stale(error);
        self.health.record_code(code.as_deref());
        if is_stale(error) {
            self.health.record_conflict();
            self.meet_change();
        }
        self.refused(error);
    }

    /// A plan was stale: the pool's other connections prepare anew as well.
    pub(super) fn meet_change(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.meet_change();
        }
    }

    /// Counts something of this loan.
    pub(super) fn count(&self, what: impl FnOnce(&Meter, &Share)) {
        if let Some(permit) = &self.permit {
            permit.count(what);
        }
    }

    /// Counts an error of the server.
    pub(super) fn refused(&self, error: &Error) {
        if let Some(code) = code(error) {
            self.count(|meter, share| meter.refused(share, &code));
        }
    }
}

/// Marks from the first poll until the end of the stream.
struct Marked<'e> {
    steps: BoxStream<'e, Step>,
    state: &'e mut CallState,
    call: Call,
    rows: u64,
}

impl Stream for Marked<'_> {
    type Item = Step;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        let span = self.call.span().clone();
        let _inside = span.enter();
        self.state.wire = Wire::Streaming;
        let step = ready!(self.steps.poll_next_unpin(cx));
        match &step {
            Some(Ok(Either::Left(done))) => {
                self.rows += done.rows_affected();
                self.call.rows(self.rows);
            }
            Some(Ok(Either::Right(_))) => {}
            Some(Err(error)) => {
                self.state.wire = Wire::Quiet;
                self.state.learn(error);
                self.call.failed_with(code(error));
            }
            None => self.state.wire = Wire::Quiet,
        }
        Poll::Ready(step)
    }
}

//! One statement in a transaction of its own, and its commit.

use ::sqlx::postgres::{PgQueryResult, PgRow};
use ::sqlx::{AssertSqlSafe, Either, Execute, Executor, Postgres};
use futures_util::TryStreamExt;

use super::open_tx::OpenTx;
use super::statement::Watched;
use crate::error::Error;
use crate::observe::Call;
use crate::pool::lease::Wire;
use crate::wire::sql::COMMIT;

impl OpenTx {
    pub(super) async fn query_then_commit<'q>(
        self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, Error> {
        let mut rows = Vec::new();
        self.finish_with(query, |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub(super) async fn query_opt_then_commit<'q>(
        self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Error> {
        let mut first = None;
        self.finish_with(query, |row| _ = first.get_or_insert(row)).await?;
        Ok(first)
    }

    /// The first row; commits where there is one. So commit cannot travel with the statement.
    pub(super) async fn query_one_then_commit<'q>(
        mut self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Error> {
        let row = self.first(Watched::new(query)).await?.ok_or(::sqlx::Error::RowNotFound)?;
        self.commit().await?;
        Ok(row)
    }

    pub(super) async fn execute_then_commit<'q>(
        self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Error> {
        self.finish_with(query, drop).await
    }

    async fn finish_with<'q>(
        mut self,
        query: impl Execute<'q, Postgres> + 'q,
        mut keep: impl FnMut(PgRow) + Send,
    ) -> Result<PgQueryResult, Error> {
        let query = Watched::new(query);
        if query.may_be_followed() {
            let call = Call::statement(query.text(), self.whose());
            let done = call.watch(self.send_with_commit(query.text(), keep)).await;
            match &done {
                Ok(done) => call.rows(done.rows_affected()),
                Err(error) => call.failed(error),
            }
            return done;
        }
        let mut affected = PgQueryResult::default();
        let mut steps = self.steps(query);
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Left(done) => affected.extend([done]),
                Either::Right(row) => keep(row),
            }
        }
        drop(steps);
        self.commit().await?;
        Ok(affected)
    }

    /// A text, and behind it in the same message the probe and COMMIT, which PostgreSQL does not reach where the text
    /// fails. None of them can be drawn into the text: a comment ends with its line, and what else is open (a literal,
    /// a parenthesis, a function's body) they do not close, so that nothing of the message parses.
    async fn send_with_commit(
        mut self,
        text: &str,
        mut keep: impl FnMut(PgRow) + Send,
    ) -> Result<PgQueryResult, Error> {
        self.usable()?;
        let (connection, state) = self.lease.parts();
        state.wire = Wire::Awaiting;
        let (mut affected, mut last) = (PgQueryResult::default(), None);
        let ran = async {
            let mut steps = connection.fetch_many(::sqlx::raw_sql(AssertSqlSafe(format!("{text}\n; {COMMIT}"))));
            while let Some(step) = steps.try_next().await? {
                match step {
                    Either::Left(done) => affected.extend([done]),
                    // The last of all is the probe's.
                    Either::Right(row) => {
                        if let Some(row) = last.replace(row) {
                            keep(row);
                        }
                    }
                }
            }
            Ok(())
        };
        let ran = ran.await;
        state.wire = Wire::Quiet;
        if let Err(error) = ran {
            state.learn(&error);
            return Err(Error::at_commit(error));
        }
        self.check_commit(last.as_ref())?;
        Ok(affected)
    }
}

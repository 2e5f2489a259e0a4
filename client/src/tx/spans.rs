//! The calls of a transaction, each in a span of its own.

use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::observe::Call;
use crate::tx::open_tx::OpenTx;
use crate::wire::step::{Answer, Step, Then};

impl OpenTx {
    pub(crate) async fn send(&mut self, step: Step<'_>, then: Then) -> Result<Answer, Error> {
        let (call, attempts) = self.call(step.sql);
        let answer = call.watch(self.send_one(step, then)).await;
        self.ended(&call, attempts, answer, |answer| answer.affected)
    }

    pub(crate) async fn send_all(&mut self, steps: &[Step<'_>], then: Then) -> Result<Vec<Answer>, Error> {
        let (call, attempts) = (Call::of("pipeline", self.whose()), self.opening.attempts_left());
        let answers = call.watch(self.send_many(steps, then)).await;
        self.ended(&call, attempts, answers, |answers| answers.iter().map(|answer| answer.affected).sum())
    }

    pub(crate) async fn send_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(tokio_postgres::RowStream, Call), Error> {
        let (call, attempts) = self.call(sql);
        let rows = call.watch(self.open_stream(sql, params)).await;
        call.retries(attempts.saturating_sub(self.opening.attempts_left()));
        call.tenant(self.tenant_id());
        call.ended(&rows);
        Ok((rows?, call))
    }

    pub(crate) async fn send_copy_out(&mut self, sql: &str) -> Result<(tokio_postgres::CopyOutStream, Call), Error> {
        let (call, attempts) = self.call(sql);
        let bytes = call.watch(self.open_copy_out(sql)).await;
        call.retries(attempts - self.opening.attempts_left());
        call.tenant(self.tenant_id());
        call.ended(&bytes);
        Ok((bytes?, call))
    }

    pub(crate) async fn send_batch(&mut self, sql: &str) -> Result<(), Error> {
        let (call, attempts) = if sql.is_empty() {
            (Call::of("begin", self.whose()), self.opening.attempts_left())
        } else {
            self.call(sql)
        };
        let done = call.watch(self.send_text(sql)).await;
        call.retries(attempts.saturating_sub(self.opening.attempts_left()));
        call.tenant(self.tenant_id());
        call.ended(&done);
        done
    }

    fn call(&self, sql: &str) -> (Call, usize) {
        (Call::statement(sql, self.whose()), self.opening.attempts_left())
    }

    fn ended<T>(
        &self,
        call: &Call,
        attempts: usize,
        answer: Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Result<T, Error> {
        call.retries(attempts.saturating_sub(self.opening.attempts_left()));
        call.tenant(self.tenant_id());
        match &answer {
            Ok(answer) => call.rows(rows(answer)),
            Err(error) => call.failed(error),
        }
        answer
    }
}

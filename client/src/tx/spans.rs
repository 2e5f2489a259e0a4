//! The calls of a transaction, each in its span.

use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::observe::Call;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::step::{Answer, Step, Then};

impl TenantTx {
    pub(crate) async fn send(&mut self, step: Step<'_>, then: Then) -> Result<Answer, Error> {
        let (call, spare) = self.call(step.sql);
        let answer = call.watch(self.send_one(step, then)).await;
        self.ended(&call, spare, answer, |answer| answer.affected)
    }

    pub(crate) async fn send_all(&mut self, steps: &[Step<'_>], then: Then) -> Result<Vec<Answer>, Error> {
        let (call, spare) = (Call::of("pipeline", self.tenant_id()), self.spare);
        let answers = call.watch(self.send_many(steps, then)).await;
        self.ended(&call, spare, answers, |answers| answers.iter().map(|answer| answer.affected).sum())
    }

    pub(crate) async fn send_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(tokio_postgres::RowStream, Call), Error> {
        let (call, spare) = self.call(sql);
        let rows = call.watch(self.open_stream(sql, params)).await;
        call.retries(spare - self.spare);
        call.tenant(self.tenant_id());
        call.ended(&rows);
        Ok((rows?, call))
    }

    pub(crate) async fn send_batch(&mut self, sql: &str) -> Result<(), Error> {
        let (call, spare) =
            if sql.is_empty() { (Call::of("begin", self.tenant_id()), self.spare) } else { self.call(sql) };
        let done = call.watch(self.send_text(sql)).await;
        call.retries(spare - self.spare);
        call.tenant(self.tenant_id());
        call.ended(&done);
        done
    }

    fn call(&self, sql: &str) -> (Call, usize) {
        (Call::statement(sql, self.tenant_id()), self.spare)
    }

    fn ended<T>(
        &self,
        call: &Call,
        spare: usize,
        answer: Result<T, Error>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Result<T, Error> {
        call.retries(spare - self.spare);
        call.tenant(self.tenant_id());
        match &answer {
            Ok(answer) => call.rows(rows(answer)),
            Err(error) => call.failed(error),
        }
        answer
    }
}

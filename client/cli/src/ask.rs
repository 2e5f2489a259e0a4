//! Statements of commands: what the server answers, as JSON that it has written itself.

use std::future::Future;

use serde_json::Value;
use tokio_postgres::Config;
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::output::{Output, Row, Rows};
use crate::wire::{Fault, Wire};

/// What every command has.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    #[command(flatten)]
    pub connection: Connection,
    /// Print JSON: an array of objects for lists, an object for the rest.
    #[arg(long, global = true)]
    json: bool,
    /// Where something would change: run it, print what comes of it, and roll back.
    #[arg(long, global = true)]
    dry_run: bool,
}

/// A connection, and how to print what it answers.
pub struct Session {
    wire: Wire,
    pub output: Output,
    dry_run: bool,
}

impl Common {
    pub fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Text }
    }

    pub async fn session(&self) -> Result<Session, Fault> {
        let wire = Wire::open(&self.connection).await?;
        Ok(Session { wire, output: self.output(), dry_run: self.dry_run })
    }

    /// As [`session`](Self::session), by an address that was an argument of its own.
    pub async fn session_at(&self, config: &Config) -> Result<Session, Fault> {
        let wire = Wire::connect(config).await?;
        Ok(Session { wire, output: self.output(), dry_run: self.dry_run })
    }

    /// Whether nothing may change.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

/// A parameter: every one is sent as text and cast where it is used.
pub type Param<'a> = Option<&'a str>;

impl Session {
    /// Whether what changes is rolled back.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The rows of a query.
    pub async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Rows, Fault> {
        let sql = format!("select coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(q)), '[]')::text from ({sql}) q");
        let typed: Vec<_> = params.iter().map(|param| (param as _, Type::TEXT)).collect();
        let answered = self.wire.client.query_typed(&sql, &typed);
        let rows = tokio::time::timeout(std::time::Duration::from_secs(600), answered).await;
        let rows = rows.map_err(|_| Fault::Silent)??;
        let text: &str = rows.first().map(|row| row.get(0)).unwrap_or("[]");
        serde_json::from_str(text).map_err(|error| Fault::Broken(format!("an answer that is no JSON: {error}")))
    }

    /// Runs commands that answer nothing.
    pub async fn run(&self, sql: &str) -> Result<(), Fault> {
        self.wire.ask_patiently(sql).await.map(|_| ())
    }

    /// Prints the rows of a query.
    pub async fn show(&self, sql: &str, params: &[Param<'_>], none: &str) -> Result<(), Fault> {
        Ok(self.output.rows(&self.rows(sql, params).await?, none)?)
    }

    /// Prints the one row of a query; where there is none, `none` is the error.
    pub async fn show_one(&self, sql: &str, params: &[Param<'_>], none: &str) -> Result<(), Fault> {
        let rows = self.rows(sql, params).await?;
        let row = rows.first().ok_or_else(|| Fault::Refused(none.to_owned()))?;
        Ok(self.output.row(row)?)
    }

    /// Runs a statement that changes something and tells what was done. With `--dry-run` it is rolled back.
    pub async fn change(&self, sql: &str, params: &[Param<'_>], done: &str) -> Result<(), Fault> {
        let result = self.within(self.rows(sql, params)).await?;
        let mut said = result.into_iter().next().unwrap_or_default();
        said.retain(|_, value| !matches!(value, Value::String(text) if text.is_empty()));
        self.tell(done, said)
    }

    /// The last sentence of a change, with what came of it.
    pub fn tell(&self, done: &str, mut result: Row) -> Result<(), Fault> {
        let done = if self.dry_run { format!("would be done, and was rolled back: {done}") } else { done.to_owned() };
        result.insert("done".to_owned(), Value::Bool(!self.dry_run));
        Ok(self.output.done(&done, &result)?)
    }

    /// In a transaction that is committed, or with `--dry-run` rolled back.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.wire.ask("begin").await?;
        let result = work.await?;
        self.wire.ask(if self.dry_run { "rollback" } else { "commit" }).await?;
        Ok(result)
    }
}

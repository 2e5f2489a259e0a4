//! Whether a prepared statement is there after its connection got another backend.

use std::time::Duration;

use tokio::time::timeout;

use crate::wire::{Fault, Wire};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statements {
    /// The connection keeps its backend.
    Kept,
    Carried,
    Lost,
    #[default]
    Unknown,
}

const SQL: &str = "select 4711 as pgtenant_probe";

/// Prepares on one backend, lets another connection take that, and executes.
pub async fn carried(wires: &[Wire], switches: bool) -> Result<Statements, Fault> {
    if !switches {
        return Ok(Statements::Kept);
    }
    let [first, second, ..] = wires else { return Ok(Statements::Unknown) };
    for _ in 0..5 {
        first.ask("begin read only").await?;
        let prepared = first.client.prepare(SQL).await;
        let home = first.pid().await?;
        first.ask("commit").await?;
        // Another's statement of this name was there: nothing is carried, and nothing is told apart.
        let Ok(statement) = prepared else { return Ok(Statements::Lost) };
        let taken = second.ask("begin; select pg_catalog.pg_backend_pid()").await?;
        let mut found = Statements::Unknown;
        if taken.into_iter().flatten().next().flatten() == Some(home) {
            // Read only: should the name stand for somebody else's statement there, it changes nothing.
            if first.ask_within(Duration::from_secs(1), "begin read only").await.is_ok() {
                let answer = timeout(Duration::from_secs(1), first.client.query_one(&statement, &[])).await;
                found = match answer {
                    Ok(Ok(row)) if row.try_get::<_, i32>(0).is_ok_and(|n| n == 4711) => Statements::Carried,
                    Ok(_) => Statements::Lost,
                    Err(_) => Statements::Unknown,
                };
            }
            if found != Statements::Carried {
                forget(second).await?;
            }
        }
        second.ask("rollback").await?;
        first.ask("rollback").await?;
        if found != Statements::Unknown {
            return Ok(found);
        }
    }
    Ok(Statements::Unknown)
}

/// Takes the statement away from the backend that has it.
async fn forget(wire: &Wire) -> Result<(), Fault> {
    let named = format!("select name from pg_catalog.pg_prepared_statements where statement = '{SQL}'");
    for name in wire.ask(&named).await?.into_iter().flatten().flatten() {
        wire.ask(&format!("deallocate \"{}\"", name.replace('"', "\"\""))).await?;
    }
    Ok(())
}

//! Who answers: the same backend, or another each time.

use std::time::Duration;

use crate::wire::{Fault, Wire};

/// Whether something with process ids of its own stands before PostgreSQL.
pub async fn pooler(wires: &[Wire]) -> Result<Option<bool>, Fault> {
    let mut differs = None;
    for wire in wires {
        if let Some(told) = wire.told {
            differs = Some(differs.unwrap_or(false) || wire.pid().await? != told.to_string());
        }
    }
    Ok(differs)
}

/// Why a transaction does not stay on one backend, if it does not.
pub async fn split(wires: &[Wire]) -> Result<Option<String>, Fault> {
    let [first, second, ..] = wires else { return Ok(None) };
    let whose = "select pg_catalog.pg_backend_pid(), pg_catalog.now()";
    for _ in 0..3 {
        match first.ask("begin").await {
            Err(fault @ Fault::Said(..)) => return Ok(Some(fault.to_string())),
            answer => answer?,
        };
        let before = first.ask(whose).await?;
        // Somebody else works meanwhile. Where there is but one backend, they wait for the commit.
        let other = second.ask_within(Duration::from_millis(300), "select 1").await;
        let after = first.ask(whose).await?;
        first.ask("commit").await?;
        if matches!(other, Err(Fault::Silent)) {
            second.ask("select 1").await?;
        }
        if before != after {
            return Ok(Some("two statements of one transaction ran on two backends".to_owned()));
        }
    }
    Ok(None)
}

/// Whether the backend of one connection changes between transactions, when others have taken the one it had.
pub async fn switches(wires: &[Wire]) -> Result<bool, Fault> {
    let Some((first, others)) = wires.split_first() else { return Ok(false) };
    let before = first.pid().await?;
    let mut waiting = false;
    for other in others {
        waiting |= matches!(other.ask_within(Duration::from_millis(500), "begin; select 1").await, Err(Fault::Silent));
    }
    let after = first.ask_within(Duration::from_millis(500), "select pg_catalog.pg_backend_pid()").await;
    for other in others {
        other.ask("rollback").await?;
    }
    // One that waits for the others' transactions shares a backend with them.
    let switched = match after {
        Ok(rows) => rows.into_iter().flatten().next().flatten().is_none_or(|pid| pid != before),
        Err(Fault::Silent) => {
            first.ask("select 1").await?;
            true
        }
        Err(fault) => return Err(fault),
    };
    Ok(switched || waiting)
}

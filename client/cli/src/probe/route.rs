//! Who answers: the same backend, or another each time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::wire::{Fault, Wire};

/// How long to wait for a backend that somebody else may hold.
const WAITING: Duration = Duration::from_secs(1);

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

/// Whether one connection is served by several backends, or one backend serves several connections. Slowness proves
/// nothing: only process ids do.
pub async fn switches(wires: &[Wire]) -> Result<bool, Fault> {
    let mut seen = vec![BTreeSet::new(); wires.len()];
    for (wire, seen) in wires.iter().zip(&mut seen) {
        seen.insert(wire.pid().await?);
    }
    // The others take what backends there are, and the first must find another, or wait.
    let Some((first, others)) = wires.split_first() else { return Ok(false) };
    let pid = "select pg_catalog.pg_backend_pid()";
    for (at, other) in others.iter().enumerate() {
        if let Ok(rows) = other.ask_within(WAITING, &format!("begin; {pid}")).await {
            seen[at + 1].extend(rows.into_iter().flatten().flatten());
        }
    }
    let waited = match first.ask_within(WAITING, pid).await {
        Ok(rows) => {
            seen[0].extend(rows.into_iter().flatten().flatten());
            false
        }
        Err(Fault::Silent) => true,
        Err(fault) => return Err(fault),
    };
    for other in others {
        other.ask("rollback").await?;
    }
    if waited {
        seen[0].insert(first.pid().await?);
    }
    let several = seen.iter().any(|pids| pids.len() > 1);
    let backends = seen.iter().flatten().collect::<BTreeSet<_>>().len();
    Ok(several || backends < wires.len())
}

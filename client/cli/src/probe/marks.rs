//! What is left in a session, looked for from others, and taken away again.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;

use crate::wire::{Fault, Wire};

/// What a session keeps between transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Setting,
    AdvisoryLock,
    TemporaryTable,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Setting => "settings",
            State::AdvisoryLock => "advisory locks",
            State::TemporaryTable => "temporary tables",
        })
    }
}

/// The marks of one run, and the backends that carry them.
pub struct Marks {
    /// No other run has it.
    run: u32,
    marked: BTreeSet<String>,
}

impl Marks {
    pub fn new() -> Marks {
        Marks { run: std::process::id(), marked: BTreeSet::new() }
    }

    /// Each leaves marks, the others look for them.
    pub async fn seen_by_others(&mut self, wires: &[Wire]) -> Result<Vec<State>, Fault> {
        let mut seen = BTreeSet::new();
        for _ in 0..2 {
            for (at, wire) in wires.iter().enumerate() {
                self.leave(wire).await?;
                for (_, other) in wires.iter().enumerate().filter(|(other, _)| *other != at) {
                    seen.extend(self.see(other).await?);
                }
                self.clear(wires).await;
            }
        }
        Ok(seen.into_iter().collect())
    }

    /// The last connection leaves marks and closes; those that come after it look.
    pub async fn survive(&mut self, config: &Config, wires: &mut Vec<Wire>) -> Result<Vec<State>, Fault> {
        let Some(last) = wires.pop() else { return Ok(Vec::new()) };
        self.leave(&last).await?;
        let before = last.pid().await?;
        drop(last);
        let mut seen = BTreeSet::new();
        // A pooler may be slow to notice that one has closed.
        for pause in [100, 500, 3000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let next = Wire::connect(config).await?;
            seen.extend(self.see(&next).await?);
            let same = next.pid().await? == before;
            wires.push(next);
            if same {
                break;
            }
        }
        if seen.is_empty() {
            self.marked.remove(&before); // ended, or made anew
        }
        Ok(seen.into_iter().collect())
    }

    async fn leave(&mut self, wire: &Wire) -> Result<(), Fault> {
        let run = self.run;
        let marked = wire
            .value(&format!(
                "select pg_catalog.pg_backend_pid() from pg_catalog.set_config('pgtenant_probe.mark', '{run}', false),
                     pg_catalog.pg_advisory_lock_shared(7073, {run})"
            ))
            .await?;
        self.marked.insert(marked);
        // The role may not be allowed to, or the server may be a standby.
        let table = format!("create temp table pgtenant_probe_{run} (); select pg_catalog.pg_backend_pid()");
        if let Ok(marked) = wire.value(&table).await {
            self.marked.insert(marked);
        }
        Ok(())
    }

    async fn see(&self, wire: &Wire) -> Result<Vec<State>, Fault> {
        let run = self.run;
        let rows = wire
            .ask(&format!(
                "select pg_catalog.current_setting('pgtenant_probe.mark', true) = '{run}',
                     exists (select from pg_catalog.pg_locks where locktype = 'advisory' and classid = 7073
                                 and objid = {run} and pid = pg_catalog.pg_backend_pid()),
                     pg_catalog.to_regclass('pg_temp.pgtenant_probe_{run}') is not null"
            ))
            .await?;
        let found = rows.into_iter().flatten().map(|found| found.as_deref() == Some("t"));
        let states = [State::Setting, State::AdvisoryLock, State::TemporaryTable];
        Ok(states.into_iter().zip(found).filter_map(|(state, found)| found.then_some(state)).collect())
    }

    /// Takes the marks away, on every backend that carries them; returns on how many it could not. Connections hold
    /// what they got meanwhile, so that the next gets another backend.
    pub async fn clear(&mut self, wires: &[Wire]) -> usize {
        let run = self.run;
        let take = format!(
            "reset pgtenant_probe.mark; drop table if exists pg_temp.pgtenant_probe_{run};
             select pg_catalog.pg_advisory_unlock_shared(7073, {run})
             where exists (select from pg_catalog.pg_locks where locktype = 'advisory' and classid = 7073
                               and objid = {run} and pid = pg_catalog.pg_backend_pid())"
        );
        for _ in 0..20 {
            for wire in wires {
                if self.marked.is_empty() {
                    break;
                }
                let patience = Duration::from_millis(500);
                let pid = "begin; select pg_catalog.pg_backend_pid()";
                let Ok(rows) = wire.ask_within(patience, pid).await else { continue };
                let pid = rows.into_iter().flatten().next().flatten().unwrap_or_default();
                if self.marked.contains(&pid) {
                    // A lock taken twice is let go twice.
                    let taken = wire.ask(&take).await.is_ok() && wire.ask(&take).await.is_ok();
                    if taken && wire.ask("commit").await.is_ok() {
                        self.marked.remove(&pid);
                    }
                }
            }
            for wire in wires {
                let _ = wire.ask("rollback").await;
            }
            if self.marked.is_empty() {
                break;
            }
        }
        self.marked.len()
    }
}

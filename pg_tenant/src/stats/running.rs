//! What this backend has done since it last told the others. Nothing here fails, and no borrow spans a call into
//! PostgreSQL.

use crate::gucs;
use crate::pg::lifetime::End;
use crate::pg::statistics::{self, Board};
use crate::pg::transaction;
use crate::pg::usage::{self, Outermost, Usage};
use crate::stats::chance;
use crate::stats::who::Who;
use pg_tenant_core::statistics::{Counters, Key, Large, Place, Small};
use pgrx::pg_sys::CmdType;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// In a transaction that lasts longer, the others are told after each statement.
const LONG: Duration = Duration::from_secs(1);

/// What is being measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outer {
    Planning,
    Execution,
}

struct Running {
    counters: Counters,
    statements: u32,
    outermost: Option<Outermost>,
    /// When the others were told last.
    told: Option<Instant>,
    /// What had been used then.
    used: Usage,
    /// The processor's time when it was asked last, and the coarse clock then. Asking at each end of a transaction
    /// would cost more than all the rest; whoever works when the clock has moved gets what was used since, which is
    /// right on average, and exact but for a few milliseconds.
    processor: (u64, u32),
    /// Of a millisecond of planning that is not full yet, microseconds.
    planning: u64,
}

/// Whom this backend counted for last, and where.
#[derive(Clone, Copy)]
struct Known {
    who: Who,
    key: Key,
    place: Place,
}

thread_local! {
    static RUNNING: RefCell<Running> = const {
        RefCell::new(Running {
            counters: Counters::ZERO,
            statements: 0,
            outermost: None,
            told: None,
            used: Usage::NONE,
            processor: (0, 0),
            planning: 0,
        })
    };
    static KNOWN: Cell<Option<Known>> = const { Cell::new(None) };
}

/// No `change` calls PostgreSQL or another one.
#[inline]
fn change<R>(change: impl FnOnce(&mut Running) -> R) -> R {
    RUNNING.with_borrow_mut(change)
}

/// Whether anything is counted here: not in PostgreSQL's own processes. A parallel worker's work is its leader's.
#[inline]
pub fn counts() -> bool {
    gucs::statistics() && statistics::board().is_some() && usage::is_client_backend()
}

/// Something begins in this frame: whether it is the outermost of what runs, and so is measured.
pub fn begins(here: &u8) -> bool {
    change(|running| {
        if running.outermost.is_some_and(|outermost| outermost.holds(here)) {
            return false;
        }
        let outermost = Outermost::begins(here);
        if running.told.is_none() {
            running.told = Some(Instant::now());
            running.used = usage::now();
            running.processor = (usage::processor(), 0);
        }
        running.outermost = Some(outermost);
        true
    })
}

/// Whether something runs around this frame.
pub fn is_within(here: &u8) -> bool {
    change(|running| running.outermost.is_some_and(|outermost| outermost.holds(here)))
}

/// The transaction was let in, or refused, after so many nanoseconds.
pub fn admitted_after(nanoseconds: u64) {
    change(|running| {
        running.counters.add_small(Small::AdmissionWaits, 1);
        let milliseconds = u32::try_from(nanoseconds / 1_000_000).unwrap_or(u32::MAX);
        running.counters.add_small(Small::AdmissionWait, milliseconds);
    });
}

/// The outermost is over. `query` is PostgreSQL's number of the statement, or 0.
pub fn ends(outer: Outer, query: i64) {
    let sample = query != 0 && chance::is_taken();
    let (elapsed, is_long) = change(|running| {
        let now = Instant::now();
        let elapsed = running.outermost.take().map_or(0, |outermost| outermost.elapsed(now));
        match outer {
            Outer::Execution => running.counters.add(Large::Execution, elapsed),
            Outer::Planning => {
                let planning = running.planning + elapsed;
                running.counters.add_small(Small::Planning, u32::try_from(planning / 1000).unwrap_or(u32::MAX));
                running.planning = planning % 1000;
            }
        }
        let is_long = outer == Outer::Execution && running.told.is_some_and(|told| now.duration_since(told) > LONG);
        (elapsed, is_long)
    });
    if sample && let Some(board) = statistics::board() {
        board.samples.add(Who::now().key(), query, elapsed);
    }
    if is_long
        && Who::now() != Who::Nobody
        && let Some(board) = statistics::board()
    {
        tell(board, Who::now());
    }
}

/// A statement has started.
pub fn started(operation: CmdType::Type) {
    let kind = match operation {
        CmdType::CMD_SELECT => Large::Selects,
        CmdType::CMD_INSERT => Large::Inserts,
        CmdType::CMD_UPDATE | CmdType::CMD_MERGE => Large::Updates,
        CmdType::CMD_DELETE => Large::Deletes,
        _ => Large::OtherStatements,
    };
    change(|running| {
        running.counters.add(kind, 1);
        running.statements = running.statements.saturating_add(1);
    });
}

/// A query has given, or written, so many rows.
pub fn ran(operation: CmdType::Type, rows: u64) {
    let kind = if operation == CmdType::CMD_SELECT { Large::RowsRead } else { Large::RowsWritten };
    change(|running| running.counters.add(kind, rows));
}

/// A statement is being refused; `code` is the refusal's place in the list.
pub(super) fn refused(code: usize) {
    if let Some(board) = statistics::board().filter(|_| counts()) {
        change(|running| running.counters.add_small(Small::Refusals, 1));
        board.codes.count(Who::now().key(), code);
    }
}

/// A job is done.
pub(super) fn job() {
    change(|running| running.counters.add_small(Small::Jobs, 1));
}

/// A lock was waited for.
pub(super) fn waited(milliseconds: u32) {
    change(|running| {
        running.counters.add_small(Small::LockWaits, 1);
        running.counters.add_small(Small::LockWait, milliseconds);
    });
}

/// The transaction has ended: what it has done counts for whom it had entered.
pub(super) fn transaction_ended(end: End) {
    let Some(board) = statistics::board() else { return };
    let who = Who::now();
    if transaction::is_parallel_worker() {
        if who != Who::Nobody && gucs::statistics() {
            let processor = usage::processor();
            let processor = change(|running| processor - std::mem::replace(&mut running.processor, (processor, 0)).0);
            let mut counters = Counters::ZERO;
            counters.add(Large::Processor, processor);
            add(board, who, counters, usage::coarse().0);
        }
        return;
    }
    let has_worked = change(|running| {
        if let Some(outermost) = running.outermost.take() {
            running.counters.add(Large::Execution, outermost.elapsed(Instant::now()));
        }
        let has_worked = running.statements > 0 || end == End::Aborted;
        running.statements = 0;
        match end {
            End::Committed | End::Prepared => running.counters.add(Large::Commits, 1),
            End::Aborted => {
                running.counters.small[Small::Jobs as usize] = 0;
                running.counters.add_small(Small::Rollbacks, 1);
            }
        }
        has_worked
    });
    if has_worked && usage::is_client_backend() {
        tell(board, who);
    } else {
        change(|running| running.counters = Counters::ZERO);
    }
}

/// Adds what has come together to what all see.
fn tell(board: &'static Board, who: Who) {
    let (now, (seconds, tick)) = (usage::now(), usage::coarse());
    let counters = change(|running| {
        let used = std::mem::replace(&mut running.used, now);
        if running.processor.1 != tick {
            let processor = usage::processor();
            running.counters.add(Large::Processor, processor - running.processor.0);
            running.processor = (processor, tick);
            running.told = Some(Instant::now());
        }
        let mut counters = std::mem::replace(&mut running.counters, Counters::ZERO);
        let since = |now: i64, before: i64| u64::try_from(now - before).unwrap_or(0);
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        counters.add(Large::BlocksHit, since(now.shared_hit, used.shared_hit));
        counters.add(Large::BlocksRead, since(now.shared_read, used.shared_read));
        counters.add_small(Small::LocalBlocks, small(since(now.local, used.local)));
        counters.add_small(Small::TempBlocks, small(since(now.temp, used.temp)));
        counters.add(Large::WalBytes, now.wal_bytes - used.wal_bytes);
        counters
    });
    add(board, who, counters, seconds);
}

fn add(board: &'static Board, who: Who, mut counters: Counters, now: u32) {
    counters.add_small(Small::LastSeen, now);
    let known = KNOWN.get().filter(|known| known.who == who);
    let known = known.unwrap_or_else(|| Known { who, key: who.key(), place: Place::Others });
    let place = board.table().add(known.key, known.place, &counters);
    KNOWN.set(Some(Known { place, ..known }));
    board.begin_step(now.into());
    board.steps.add(now.into(), known.key, &counters);
    board.minutes.add(now.into(), known.key, &counters);
}

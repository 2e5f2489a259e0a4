//! Statements and rows of a transaction that was let in.

use crate::admission::enter::too_fast;
use crate::admission::held;
use crate::context::current;
use crate::pg::gates;
use crate::pg::report::Outcome;
use pg_tenant_core::gates::{Pace, Rate};

/// A client's statement begins. Refuses (`TN181`) one that comes too fast.
#[inline]
pub fn statement() -> Outcome<()> {
    match held::held() {
        Some(held) if held.given.statements.per_second > 0 => {
            pass(Pace::Statements, held.given.statements, 1, "statements", &held)
        }
        _ => Ok(()),
    }
}

/// A statement has written so many rows. Refuses (`TN181`) it where that is too fast.
#[inline]
pub fn wrote(rows: u64) -> Outcome<()> {
    match held::held() {
        Some(held) if held.given.rows_written.per_second > 0 => {
            pass(Pace::RowsWritten, held.given.rows_written, rows, "written rows", &held)
        }
        _ => Ok(()),
    }
}

/// Whether rows are counted for this transaction.
fn pass(pace: Pace, rate: Rate, count: u64, what: &str, held: &held::Held) -> Outcome<()> {
    let (Some(doors), Some(id)) = (gates::doors(), current::tenant()) else { return Ok(()) };
    let Some(gate) = held.gate(doors) else { return Ok(()) };
    let now = gates::now();
    gate.pass(pace, rate, count, now).map_err(|wait| {
        gate.note(true);
        too_fast(&id, what, rate.per_second, wait)
    })?;
    if gate.is_above(pace, rate, now) {
        gate.note(false);
    }
    Ok(())
}

//! A transaction is let in, waits, or is refused.
//!
//! Where the server is full (`pg_tenant.max_active`), those who wait are let in by weight and not by arrival: whose
//! tenant has the fewest transactions for its weight comes next, and who has just come asks for whom the free place is,
//! too. Who leaves wakes the next one. Beside that, who waits asks again every few milliseconds: there is no queue that
//! a session which dies could leave in disorder.

use crate::admission::held::{self, Held};
use crate::context::{current, locks};
use crate::gucs;
use crate::pg::gates::{self, Doors};
use crate::pg::report::{Outcome, Report};
use crate::pg::{role, setting};
use crate::registry;
use crate::stats::{self, Who};
use pg_tenant_core::gates::{Gate, Given, Pace};
use pg_tenant_core::{Refusal, TenantId};
use std::sync::atomic::Ordering::Relaxed;

/// The share of a tenant that was given none.
const WEIGHT: u32 = 100;
/// Who waits asks again after one millisecond, then two, and at last every so many.
const LONGEST_SLEEP: i64 = 16;

/// Who was refused and did not wait long is told to come again after so many milliseconds.
const SOON: u32 = 100;

/// Why it is not let in at this moment.
enum Full {
    Tenant,
    Server,
}

/// Lets the transaction into the tenant, once.
///
/// Refuses (`TN180`) where as many of its transactions run as may, (`TN181`) where they come too fast, (`TN182`) where
/// the server has as many as it admits; the first and the last after having waited for `pg_tenant.admission_timeout`.
/// A superuser is let in at once.
pub fn enter(id: &TenantId, given: Given) -> Outcome<()> {
    let Some(doors) = gates::doors() else { return Ok(()) };
    let full = gucs::max_active();
    if let Some(held) = held::held() {
        // A savepoint has undone what was applied.
        apply(held.given);
        return Ok(());
    }
    if (full == 0 && given == Given::default()) || role::is_superuser(role::session_user()) {
        return Ok(());
    }
    apply(given);
    let (key, now) = (Who::Tenant(*id).key(), gates::now());
    let needed = full > 0 || given.needs_gate();
    let place = if needed { doors.gates.claim(key, now) } else { None };
    let gate = place.map(|place| doors.gates.gate(place));
    if let Some(gate) = gate {
        at_pace(id, gate, given, now)?;
    }
    let weight = weight(given);
    let taken = match place {
        Some(place) if full > 0 && !is_next(doors, place, weight) => Err(Full::Server),
        _ => take(doors, gate, given, full),
    };
    if let Err(why) = taken {
        wait(doors, place, given, full, id, why)?;
    }
    held::hold(Held { given, gate: place });
    if let Some(gate) = gate.filter(|gate| given.concurrent_soft > 0 && gate.active() > given.concurrent_soft) {
        gate.note(false);
    }
    Ok(())
}

/// As [`enter`], for a session whose role is bound: with the first statement of a transaction.
pub fn enter_bound() -> Outcome<()> {
    match current::session_tenant() {
        Some(id) if held::held().is_none() => enter(&id, registry::admit(&id)?.given),
        _ => Ok(()),
    }
}

/// What PostgreSQL, or the rest of the transaction, looks after.
fn apply(given: Given) {
    locks::limit((given.advisory_locks > 0).then_some(given.advisory_locks));
    if given.temporary_kb > 0 {
        let most = i32::try_from(given.temporary_kb).unwrap_or(i32::MAX);
        setting::set_local("temp_file_limit", &most.to_string());
    }
}

fn at_pace(id: &TenantId, gate: &Gate, given: Given, now: u64) -> Outcome<()> {
    gate.pass(Pace::Transactions, given.transactions, 1, now).map_err(|wait| {
        gate.note(true);
        too_fast(id, "transactions", given.transactions.per_second, wait)
    })?;
    if gate.is_above(Pace::Transactions, given.transactions, now) {
        gate.note(false);
    }
    Ok(())
}

/// Takes one of the server's places and one of the tenant's.
fn take(doors: &Doors, gate: Option<&Gate>, given: Given, full: u32) -> Result<(), Full> {
    let more = |active: u32| (full == 0 || active < full).then_some(active + 1);
    doors.active.fetch_update(Relaxed, Relaxed, more).map_err(|_| Full::Server)?;
    if gate.is_some_and(|gate| gate.take(given.concurrent, gates::now()).is_none()) {
        doors.active.fetch_sub(1, Relaxed);
        return Err(Full::Tenant);
    }
    Ok(())
}

fn wait(doors: &Doors, place: Option<usize>, given: Given, full: u32, id: &TenantId, why: Full) -> Outcome<()> {
    let (since, most) = (gates::now(), u64::from(gucs::admission_timeout()) * 1_000_000);
    let weight = weight(given);
    let gate = place.map(|place| doors.gates.gate(place));
    let (mut why, mut sleep) = (why, 1);
    while gates::now() - since < most {
        // Only who waits for a place of the server's competes for it; whose tenant has no place left keeps nobody out.
        let has_all = gate.is_some_and(|gate| given.concurrent > 0 && gate.active() >= given.concurrent);
        why = if has_all || full == 0 { Full::Tenant } else { Full::Server };
        match (&why, place) {
            (Full::Server, Some(place)) => gates::wait(place, weight),
            _ => gates::wait_no_more(),
        }
        gates::sleep(sleep);
        sleep = (sleep * 2).min(LONGEST_SLEEP);
        if place.is_none_or(|place| is_next(doors, place, weight)) {
            match take(doors, gate, given, full) {
                Ok(()) => {
                    gates::wait_no_more();
                    stats::admitted_after(gates::now() - since);
                    return Ok(());
                }
                Err(again) => why = again,
            }
        }
    }
    gates::wait_no_more();
    stats::admitted_after(gates::now() - since);
    if let Some(gate) = gate {
        gate.note(true);
    }
    Err(match why {
        Full::Tenant => too_many(id, given.concurrent),
        Full::Server => busy(id, full),
    })
}

fn weight(given: Given) -> u32 {
    if given.weight > 0 { given.weight } else { WEIGHT }
}

/// Whether no other tenant that waits has fewer transactions for its weight.
fn is_next(doors: &Doors, place: usize, weight: u32) -> bool {
    let own = held::share(doors, place, weight);
    gates::waiting().all(|(other, weight)| other == place || held::share(doors, other, weight) >= own)
}

fn too_many(id: &TenantId, most: u32) -> Report {
    Report::new(Refusal::TooManyTransactions, format!("tenant \"{id}\" has as many transactions as it may"))
        .detail(format!("Limit {most}, in use {most}; {}.", waited()))
        .hint("Try again when one of its transactions has ended. An administrator raises it with tenant.set_limit().")
}

fn busy(id: &TenantId, full: u32) -> Report {
    Report::new(Refusal::ServerBusy, format!("the server is busy: tenant \"{id}\" was not let in"))
        .detail(format!("Limit {full} (pg_tenant.max_active), in use {full}; {}.", waited()))
        .hint("Try again. Tenants are let in by weight: tenant.set_limit(id, 'weight', hard => 200).")
}

/// How long it has waited, and when to come again: that long, or soon.
fn waited() -> String {
    let wait = gucs::admission_timeout();
    format!("waited {wait} ms (pg_tenant.admission_timeout); retry after {} ms", wait.max(SOON))
}

/// What comes too fast, and in how many nanoseconds it would not; none where it is never.
pub(super) fn too_fast(id: &TenantId, what: &str, per_second: u32, wait: Option<u64>) -> Report {
    let report = Report::new(Refusal::TooFast, format!("{what} of tenant \"{id}\" come too fast"));
    match wait {
        Some(wait) => report
            .detail(format!("Limit {per_second} a second; retry after {} ms.", wait.div_ceil(1_000_000)))
            .hint("Wait that long, or less often at once. An administrator raises it with tenant.set_limit()."),
        None => report
            .detail(format!("Limit {per_second} a second; one statement has more than the limit's burst."))
            .hint("Write fewer rows at once. An administrator raises burst with tenant.set_limit()."),
    }
}

//! What a tenant was given: settings that `enter` applies and that nothing in the transaction may raise.

use crate::pg::report::{Outcome, Report};
use crate::pg::setting;
use crate::registry::Limits;
use pg_tenant_core::Refusal;
use std::cell::Cell;

/// PostgreSQL's default of `hash_mem_multiplier`: a limit of `work_mem` is given with it in mind.
const HASH_MULTIPLIER: f64 = 2.0;
/// The least that `maintenance_work_mem` and `logical_decoding_work_mem` can be, in kB.
const LEAST_MAINTENANCE: i32 = 1024;
const LEAST_DECODING: i32 = 64;

thread_local! {
    /// `temp_buffers` when the tenant was entered, in kB. It cannot be lowered then: PostgreSQL refuses that once the
    /// session has a temporary table, and buffers that are there stay.
    static TEMP_BUFFERS: Cell<i32> = const { Cell::new(0) };
}

/// Applies the limits until the end of the transaction.
pub fn apply(limits: Limits) {
    for (name, value) in [
        ("statement_timeout", limits.statement_timeout),
        ("lock_timeout", limits.lock_timeout),
        ("idle_in_transaction_session_timeout", limits.idle_in_transaction_session_timeout),
        ("work_mem", limits.work_mem),
    ] {
        if value > 0 {
            setting::set_local(name, &value.to_string());
        }
    }
    if limits.work_mem > 0 {
        apply_memory(limits.work_mem);
    }
    // PostgreSQL arms it when a statement begins: the one that is running would go without.
    setting::arm_statement_timeout(limits.statement_timeout);
    if limits.read_only {
        setting::set_local("transaction_read_only", "on");
    }
}

/// What else a session may take memory by, where the server gives more than the limit.
fn apply_memory(work_mem: i32) {
    let now = setting::ruled();
    TEMP_BUFFERS.set(now.temp_buffers);
    if now.hash_mem_multiplier > HASH_MULTIPLIER {
        setting::set_local("hash_mem_multiplier", &HASH_MULTIPLIER.to_string());
    }
    for (name, value, least) in [
        ("maintenance_work_mem", now.maintenance_work_mem, LEAST_MAINTENANCE),
        ("logical_decoding_work_mem", now.logical_decoding_work_mem, LEAST_DECODING),
    ] {
        if value > work_mem.max(least) {
            setting::set_local(name, &work_mem.max(least).to_string());
        }
    }
}

/// Refuses (`TN009`) where a setting stands above its limit, whichever way it got there.
pub fn check(limits: Limits) -> Outcome<()> {
    if limits == Limits::NONE {
        return Ok(());
    }
    let now = setting::ruled();
    let timeout = |value: i32, limit: i32| limit > 0 && (value == 0 || value > limit);
    for (exceeded, name, value, limit, unit) in [
        (
            timeout(now.statement_timeout, limits.statement_timeout),
            "statement_timeout",
            now.statement_timeout,
            limits.statement_timeout,
            "ms",
        ),
        (timeout(now.lock_timeout, limits.lock_timeout), "lock_timeout", now.lock_timeout, limits.lock_timeout, "ms"),
        (
            timeout(now.idle_in_transaction_session_timeout, limits.idle_in_transaction_session_timeout),
            "idle_in_transaction_session_timeout",
            now.idle_in_transaction_session_timeout,
            limits.idle_in_transaction_session_timeout,
            "ms",
        ),
        (limits.work_mem > 0 && now.work_mem > limits.work_mem, "work_mem", now.work_mem, limits.work_mem, "kB"),
    ] {
        if exceeded {
            return Err(limit_exceeded(name, &format!("{value}{unit}"), &format!("{limit}{unit}")));
        }
    }
    if limits.work_mem > 0 {
        check_memory(limits.work_mem, now)?;
    }
    if limits.read_only && !now.read_only {
        return Err(limit_exceeded("transaction_read_only", "off", "on"));
    }
    Ok(())
}

fn check_memory(limit: i32, now: setting::Ruled) -> Outcome<()> {
    let hash = f64::from(limit) * HASH_MULTIPLIER;
    if f64::from(now.work_mem) * now.hash_mem_multiplier > hash {
        let value = format!("{}, of work_mem {}kB", now.hash_mem_multiplier, now.work_mem);
        return Err(limit_exceeded("hash_mem_multiplier", &value, &format!("{hash}kB for a hash table")));
    }
    for (name, value, limit) in [
        ("maintenance_work_mem", now.maintenance_work_mem, limit.max(LEAST_MAINTENANCE)),
        ("logical_decoding_work_mem", now.logical_decoding_work_mem, limit.max(LEAST_DECODING)),
        ("temp_buffers", now.temp_buffers, limit.max(TEMP_BUFFERS.get())),
    ] {
        if value > limit {
            return Err(limit_exceeded(name, &format!("{value}kB"), &format!("{limit}kB")));
        }
    }
    Ok(())
}

fn limit_exceeded(name: &str, value: &str, limit: &str) -> Report {
    Report::new(Refusal::LimitExceeded, format!("{name} is above what this tenant was given"))
        .detail(format!("It stands at {value}; the tenant's limit is {limit}."))
        .hint("A transaction may lower it. An administrator raises it for the tenant with tenant.set_limits().")
}

//! What a tenant was given: settings that `enter` applies and that nothing in the transaction may raise.

use crate::error::{Outcome, Report};
use crate::pg::setting;
use pg_tenant_core::Refusal;

/// The limits of a tenant. Milliseconds and kilobytes; 0 where the tenant has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub statement_timeout: i32,
    pub lock_timeout: i32,
    pub idle_in_transaction_session_timeout: i32,
    pub work_mem: i32,
    pub read_only: bool,
}

impl Limits {
    pub const NONE: Limits = Limits {
        statement_timeout: 0,
        lock_timeout: 0,
        idle_in_transaction_session_timeout: 0,
        work_mem: 0,
        read_only: false,
    };
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
    // PostgreSQL arms it when a statement begins: the one that is running would go without.
    setting::arm_statement_timeout(limits.statement_timeout);
    if limits.read_only {
        setting::set_local("transaction_read_only", "on");
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
            return Err(exceeds(name, &format!("{value}{unit}"), &format!("{limit}{unit}")));
        }
    }
    if limits.read_only && !now.read_only {
        return Err(exceeds("transaction_read_only", "off", "on"));
    }
    Ok(())
}

fn exceeds(name: &str, value: &str, limit: &str) -> Report {
    Report::new(Refusal::LimitExceeded, format!("{name} is above what this tenant was given"))
        .detail(format!("It stands at {value}; the tenant's limit is {limit}."))
        .hint("A transaction may lower it. An administrator raises it for the tenant with tenant.set_limits().")
}

//! Grants by which a login of support works in a tenant, as somebody or as itself (`sql/schema/lives/impersonation/`):
//! who may use one, and whether it still holds.

use super::cache::{Stamp, stamp};
use crate::gucs;
use crate::pg::impersonation_row::{self, GrantId, ImpersonationRow};
use crate::pg::report::{Outcome, Report};
use crate::pg::{role, server, transaction};
use pg_tenant_core::{Refusal, TenantId};
use pgrx::pg_sys::Oid;

/// The role of those who may ask for a grant and use it.
pub const ROLE: &str = "tenant_support";

/// A grant that holds.
#[derive(Clone, Copy)]
pub struct Grant {
    pub id: GrantId,
    pub tenant: TenantId,
    pub write: bool,
    login: Oid,
    /// When it ends, in microseconds as PostgreSQL counts them.
    until: i64,
    /// What the tenant's version was before the row was read.
    stamp: Option<Stamp>,
}

/// A grant that holds, and who works by it.
pub struct Impersonation {
    pub grant: Grant,
    /// In whose place; none for support without a user.
    pub as_user: Option<String>,
    pub impersonator: String,
}

impl Grant {
    /// How long it holds from now on, in milliseconds and rounded up.
    pub fn remaining_ms(&self) -> i64 {
        (self.until - server::clock()).max(0) / 1000 + 1
    }
}

/// The grant, for the login of this session.
///
/// Refuses (`TN158`) where the login may use none, or not this one, where it waits for approval, and where it was
/// changed by this very transaction, which could undo that; (`TN159`) where it has ended.
pub fn find(id: &GrantId) -> Outcome<Impersonation> {
    let login = role::session_user();
    require_support(login)?;
    let tenant: TenantId = impersonation_row::read(id)
        .filter(|row| row.login == role::name(login))
        .and_then(|row| row.tenant.parse().ok())
        .ok_or_else(|| unknown(login))?;
    let stamp = stamp(&tenant).ok_or_else(uncommitted)?;
    // Again, now that the version is known.
    let row = impersonation_row::read(id).ok_or_else(|| unknown(login))?;
    let until = judge(&row, &tenant)?;
    let grant = Grant { id: *id, tenant, write: row.write, login, until, stamp: Some(stamp) };
    Ok(Impersonation { grant, as_user: row.as_user, impersonator: row.impersonator })
}

/// Whether the grant still holds: asked by each statement. Gives it as it is now.
pub fn check(grant: Grant) -> Outcome<Grant> {
    require_support(grant.login)?;
    if server::clock() >= grant.until {
        return Err(ended(&grant.tenant, "Its time is over."));
    }
    let now = stamp(&grant.tenant);
    // A parallel query can take no other snapshot than its own: the next statement looks.
    if transaction::is_parallel() || now.is_some() && now == grant.stamp {
        return Ok(grant);
    }
    let Some(row) = impersonation_row::read(&grant.id) else { return Err(ended(&grant.tenant, "It is gone.")) };
    let until = judge(&row, &grant.tenant)?;
    Ok(Grant { until, write: grant.write, stamp: now, ..grant })
}

/// When it ends, if it is open now.
fn judge(row: &ImpersonationRow, tenant: &TenantId) -> Outcome<i64> {
    if row.ended {
        return Err(ended(tenant, "It was ended."));
    }
    let waits = (row.approval_required || gucs::impersonation_approval()) && !row.approved;
    let Some(open) = row.open.as_ref().filter(|_| !waits) else { return Err(waiting(tenant)) };
    let until = open.until.min(open.from.saturating_add(gucs::max_impersonation_us()));
    if server::clock() >= until { Err(ended(tenant, "Its time is over.")) } else { Ok(until) }
}

fn require_support(login: Oid) -> Outcome<()> {
    if role::by_name(ROLE).is_some_and(|support| role::is_member(login, support)) {
        return Ok(());
    }
    Err(Report::new(Refusal::ImpersonationRefused, "this login impersonates nobody")
        .detail(format!("Role \"{}\" is no member of {ROLE}.", role::name(login)))
        .hint("Whoever manages the server's roles adds it: grant tenant_support to <role>;"))
}

fn unknown(login: Oid) -> Report {
    Report::new(Refusal::ImpersonationRefused, "this login has no such impersonation")
        .detail(format!("Role \"{}\" has asked for none with this id.", role::name(login)))
        .hint(ASK)
}

fn waiting(tenant: &TenantId) -> Report {
    Report::new(Refusal::ImpersonationRefused, format!("the impersonation in tenant \"{tenant}\" waits for approval"))
        .detail("pg_tenant.impersonation_approval is on, or was when it was asked for.")
        .hint("Let somebody else approve it: select tenant.approve_impersonation('<id>');")
}

fn uncommitted() -> Report {
    Report::new(Refusal::ImpersonationRefused, "this impersonation is not committed")
        .detail("This transaction has asked for it or changed it, and could undo that together with its lines in the journal.")
        .hint("Commit, then enter in a transaction of its own.")
}

/// TN159: it was ended, or has expired.
fn ended(tenant: &TenantId, why: &str) -> Report {
    Report::new(Refusal::ImpersonationEnded, format!("the impersonation in tenant \"{tenant}\" has ended"))
        .detail(why)
        .hint(ASK)
}

const ASK: &str = "Ask for one: select tenant.impersonate('<tenant>', '<user>', '<reason>');";

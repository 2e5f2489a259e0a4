//! Relations that hold rows of all tenants and cannot have policies: TOAST tables, statistics, large objects, sequences
//! read as tables, and the tables of the extension. Whoever has a privilege on one can read all of it, so inside a
//! tenant only a superuser reads or writes them, whatever was granted.

use crate::context::current;
use crate::guard::{exempt, in_tenant};
use crate::gucs::{self, Strict};
use crate::pg::report::{Outcome, Report};
use crate::pg::{relation, role};
use crate::policy::protection::Held;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// Judges a statement that reads or writes such a relation with the rights of `user`.
pub fn judge(relation: Oid, held: Held, user: Oid) -> Outcome<()> {
    let at_work = role::is_superuser_session() && user == role::current_user();
    let passes = at_work
        || match held {
            // Long values (TOAST) of a protected table: only for users who are exempt from its policies.
            _ if !in_tenant::here() => held != Held::Toast || !is_of_protected(relation) || reads_without_tenant(user),
            // By our own functions, which turn the guards off, our views, and for foreign keys to the registry.
            Held::Own => role::owns(user, relation) || !gucs::guards(),
            // By PostgreSQL's views: pg_stats, in which rows are hidden ([`crate::guard::hidden`]), and pg_roles.
            Held::Statistics | Held::Secrets => role::is_superuser(user),
            Held::Sequence => may_read_sequences(user),
            Held::Toast | Held::LargeObjects => false,
        };
    if passes { Ok(()) } else { Err(held_for_all(relation, held)) }
}

/// Whether a sequence on which the user has a privilege may be read as a table: by a login that is bound to a tenant,
/// for its dump, and where side channels are allowed. Not by members of pg_read_all_data, to whom nobody granted this
/// sequence.
pub fn may_read_sequences(user: Oid) -> bool {
    gucs::side_channels_allowed() || (current::session_tenant().is_some() && !role::reads_all_data(user))
}

fn is_of_protected(toast: Oid) -> bool {
    relation::toasted(toast).is_some_and(|table| in_tenant::fence(table).is_some())
}

fn reads_without_tenant(user: Oid) -> bool {
    exempt::is_exempt(user) || gucs::strict() != Strict::on
}

fn held_for_all(relation: Oid, held: Held) -> Report {
    let why = match held {
        Held::Toast => "It keeps the long values of another relation, whose policies do not apply to it.",
        Held::Sequence => "It counts for every tenant, and so tells how many rows the others make.",
        Held::Statistics => "Statistics are made of every tenant's rows, and show values of them.",
        Held::LargeObjects => "Large objects have no policies: they are every tenant's.",
        Held::Secrets => "It holds what other logins are authenticated by.",
        Held::Own => "It is the extension's own, and tells of every tenant.",
    };
    let hint = match held {
        Held::Sequence => "nextval(), currval() and lastval() work inside a tenant.",
        Held::Statistics => "The view pg_stats shows the statistics of tables that are not protected.",
        _ => "Use it in a transaction that has entered no tenant, by a login that is bound to none.",
    };
    let name = relation::name(relation);
    Report::new(Refusal::HeldForAll, format!("relation {name} holds what belongs to every tenant"))
        .detail(why)
        .hint(hint)
}

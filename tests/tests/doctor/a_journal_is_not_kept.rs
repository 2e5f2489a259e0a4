//! The journal is not looked after: not sealed, or with no part for the month to come.

use pg_tenant_tests::{Cluster, Options};

use crate::case::{Case, fixed, prove, prove_on};

pub const CASES: &[Case] = &[
    fixed(
        "T129",
        "public.orders",
        "select tenant.audit('orders', columns => '{note}')
         drop trigger tenant_audit_update on orders",
    ),
    fixed("T129", "public.orders", "alter table orders disable trigger tenant_audit_delete"),
    fixed(
        "T129",
        "public.part",
        "create table whole (id int) partition by list (id); select tenant.audit('whole')
         create table part partition of whole default",
    ),
    fixed(
        "T130",
        "tenant.journal",
        "do $$ begin execute format('drop table %s', tenant_internal.journal_part((tenant_internal.month_of(now()) + interval '1 month')::date)); end $$",
    ),
];

/// On a server of its own: nobody else's transaction keeps a line from being sealed.
pub const SEALS: &[Case] = &[fixed(
    "T128",
    "tenant.journal",
    "select tenant.seal_journal()
     insert into tenant.journal (action, object, at) values ('noted', 'x', now() - interval '2 days')",
)];

#[tokio::test]
async fn by_month() {
    prove("not_kept", CASES).await;
}

#[tokio::test]
async fn by_seals() {
    prove_on(&Cluster::start(Options::default()), "not_sealed", SEALS).await;
}

//! Columns that were declared sealed, and are not as sealed as they seem.

use crate::case::{Case, fixed, prove};

pub const CASES: &[Case] = &[
    fixed(
        "T155",
        "public.t155.iban",
        "create table t155 (tenant_id text, iban bytea)
         alter table t155 add constraint iban_sealed check (tenant.is_sealed(iban)) not valid",
    ),
    fixed(
        "T156",
        "public.t156_iban_idx",
        "create table t156 (tenant_id text, iban bytea)
         select tenant.declare_sealed('t156', 'iban')
         create index on t156 (iban)",
    ),
];

#[tokio::test]
async fn though_it_was_declared() {
    prove("sealed", CASES).await;
}

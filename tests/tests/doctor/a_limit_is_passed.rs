//! Meters without a limit, tables that are not counted, limits that are passed, usage that nobody rolls up.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    by_hand(
        "T148",
        "t148",
        "select tenant.define_meter('t148', 'calls')",
        "select tenant.define_plan('t148', quotas => '{\"t148\": 5}')",
    ),
    fixed(
        "T149",
        "public.orders",
        "select tenant.define_meter('t149', 'orders', 'forever', hard_limit => 5); select tenant.meter_rows('t149', 'orders')
         alter table orders disable trigger tenant_meter_t149_delete",
    ),
    fixed("T149", "public.orders", "drop trigger tenant_meter_t149_insert on orders"),
    fixed("T149", "public.orders", "alter table orders enable trigger tenant_meter_t149_update"),
    fixed(
        "T149",
        "t149b",
        "create table t149b (tenant_id text, id int); select tenant.protect('t149b')
         select tenant.define_meter('t149b', 'rows', 'forever', hard_limit => 5); select tenant.meter_rows('t149b', 't149b')
         drop table t149b",
    ),
    by_hand(
        "T150",
        "acme/t150",
        "select tenant.define_meter('t150', 'calls', hard_limit => 5); select tenant.consume_for('acme', 't150', 5)
         select tenant.define_meter('t150', 'calls', hard_limit => 4)",
        "select tenant.set_quota('acme', 't150', 6)",
    ),
    fixed(
        "T151",
        "t151",
        "select tenant.define_meter('t151', 'calls', hard_limit => 5); select tenant.consume_for('acme', 't151', 5)
         update tenant.usage set period_start = period_start - interval '2 months' where meter = 't151'",
    ),
    fixed("T151", "t151", "insert into tenant.usage_days values ('acme', 't151', current_date - 9, 3, 1, now())"),
];

#[tokio::test]
async fn and_nobody_notices() {
    prove("limit_passed", CASES).await;
}

//! A shop with a meter, and what the tests ask of it.

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Database, Session};

/// The shop's tenants with a meter `api_calls`, 100 a month.
pub async fn metered(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin.run("select tenant.define_meter('api_calls', 'calls', hard_limit => 100)").await;
    (db, admin, app)
}

/// The shop with a meter `orders` that counts the rows of that table, at most 10 of a tenant.
pub async fn counted(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app, boss) = (db.admin().await, db.app().await, db.superuser().await);
    admin.run("select tenant.define_meter('orders', 'orders', 'forever', hard_limit => 10)").await;
    boss.run("select tenant.meter_rows('orders', 'orders')").await;
    (db, admin, app)
}

pub fn consume(amount: impl std::fmt::Display) -> String {
    format!("select used from tenant.consume('api_calls', {amount})")
}

/// What tenant A has used, committed, as operators are told.
pub async fn used(admin: &Session, meter: &str) -> String {
    used_by(admin, A, meter).await
}

pub async fn used_by(admin: &Session, tenant: &str, meter: &str) -> String {
    let sql = format!("select used from tenant.usage_state where (tenant_id, meter) = ('{tenant}', '{meter}')");
    admin.value(&sql).await.expect("a number")
}

/// What holds of the stripes at every moment.
pub async fn stripes_are_sound(db: &Database<'_>) {
    let wrong =
        "select count(*) from (select sum(used) as used, sum(granted) as granted, max(hard) as hard, min(hard) as low
            from tenant.usage group by tenant_id, meter, period_start) s
        where used > granted or low = hard and hard not in (-1, 'Infinity') and granted > hard";
    assert_eq!(db.superuser().await.value(wrong).await.as_deref(), Some("0"), "parts beyond a limit");
}

//! A shop whose tenants are customers, and days counted from now.

use std::time::{SystemTime, UNIX_EPOCH};

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Database, Session};

/// Seconds since 1970, `days` from now, and half an hour before: so that nothing happens while a test runs.
pub fn day(days: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    i64::try_from(now).expect("a time") + days * 86_400 - 1800
}

/// The shop's tenant A is `cus_a`; its plans are basic and pro.
pub async fn billed(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let role = format!("regress_{}_hook", db.name);
    db.superuser().await.run(&format!("create role {role} login in role tenant_billing")).await;
    let (admin, hook) = (db.admin().await, db.connect(&role).await);
    admin.run("select tenant.define_plan('basic', 1), tenant.define_plan('pro', 2)").await;
    admin.run(&format!("select tenant.link_billing_customer('{A}', 'stripe', 'cus_a')")).await;
    (db, admin, hook)
}

pub fn event(id: &str, at: i64, kind: &str, payload: &str) -> String {
    format!("select tenant.apply_billing_event('stripe', '{id}', to_timestamp({at}), '{kind}', '{{{payload}}}')")
}

/// A snapshot of A's subscription.
pub fn snapshot(id: &str, at: i64, status: &str, plan: &str, paid_until: i64) -> String {
    let payload = format!(
        r#""customer": "cus_a", "subscription": "sub_a", "status": "{status}", "plan": "{plan}", "paid_until": {paid_until}"#
    );
    event(id, at, "subscription", &payload)
}

/// The tenant's state and plan, and its subscription's status.
pub async fn state(admin: &Session, tenant: &str) -> String {
    let sql = format!(
        "select concat_ws(' ', t.status, t.plan, s.status) from tenant.tenants t left join tenant.subscriptions s on s.tenant_id = t.id
         where t.id = '{tenant}'"
    );
    admin.value(&sql).await.expect("a tenant")
}

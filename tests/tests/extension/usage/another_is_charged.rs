//! What is consumed is the transaction's tenant's, and a tenant sees its own usage alone; operators name one.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{consume, metered, used, used_by};

#[tokio::test]
async fn or_seen() {
    let (_db, admin, app) = metered("usage_another").await;
    app.inside(A, &consume(3)).await;
    app.inside(B, &consume(5)).await;
    assert_eq!((used(&admin, "api_calls").await, used_by(&admin, B, "api_calls").await), ("3".into(), "5".into()));
    for (sql, own) in [
        ("select used from tenant.own_usage()", "3"),
        ("select used from tenant.own_usage_by_day()", "3"),
        ("select count(*) from tenant.own_usage_by_day('tomorrow')", "0"),
    ] {
        assert_eq!(app.inside_value(A, sql).await.as_deref(), Some(own), "{sql}");
    }
    for sql in ["select * from tenant.own_usage()", "select * from tenant.own_usage_by_day()"] {
        assert!(app.rows(sql).await.is_empty(), "{sql}");
    }
    for sql in [
        format!("select tenant.consume_for('{B}', 'api_calls')"),
        format!("select tenant.set_quota('{A}', 'api_calls', null)"),
        format!("select tenant.clear_quota('{A}', 'api_calls')"),
        "select tenant.define_meter('mine', 'calls')".to_owned(),
        "select tenant.drop_meter('api_calls', 'mine')".to_owned(),
        "select tenant.meter_rows('api_calls', 'orders')".to_owned(),
        "select tenant.unmeter_rows('api_calls', 'mine')".to_owned(),
        "select tenant.roll_up_usage()".to_owned(),
        "select tenant.export_usage('2026-01-01')".to_owned(),
        "select * from tenant.usage_state".to_owned(),
        "select * from tenant.usage_by_day".to_owned(),
        "select * from tenant.usage_by_month".to_owned(),
        "select * from tenant.usage".to_owned(),
        "update tenant.meters set hard_limit = null".to_owned(),
        "delete from tenant.usage_records".to_owned(),
        "update tenant.usage set used = 0".to_owned(),
        "delete from tenant.quotas".to_owned(),
    ] {
        app.refused_inside("42501", A, &sql).await;
    }
}

#[tokio::test]
async fn by_operators() {
    let (db, admin, app) = metered("usage_operators").await;
    admin.run(&format!("select tenant.consume_for('{A}', 'api_calls', 4)")).await;
    admin.run(&format!("select tenant.consume_for('{A}'::uuid, 'api_calls', 4)")).await;
    assert_eq!(used(&admin, "api_calls").await, "8");
    admin.expect_error("TN171", &format!("select tenant.consume_for('{A}', 'api_calls', 93)")).await;
    let both = format!("regress_{}_both", db.name);
    db.superuser()
        .await
        .run(&format!("create role {both} login; grant tenant_user, tenant_admin, tenant_system to {both}"))
        .await;
    let both = db.connect(&both).await;
    both.refused_inside("TN005", B, &format!("select tenant.consume_for('{A}', 'api_calls')")).await;
    both.inside(A, &format!("select tenant.consume_for('{A}', 'api_calls')")).await;
    both.run("begin; select tenant.enter_system('billing', true)").await;
    both.run(&format!("select tenant.consume_for('{A}', 'api_calls')")).await;
    assert_eq!(used(&both, "api_calls").await, "10");
    both.expect_error("TN001", "select tenant.consume('api_calls')").await;
    both.run("rollback; begin; select tenant.enter_system('billing')").await;
    assert_eq!(used(&both, "api_calls").await, "9");
    both.expect_error("25006", &format!("select tenant.consume_for('{A}', 'api_calls')")).await;
    both.run("rollback").await;
    // Of a tenant that was purged nothing is left.
    app.inside(A, &consume(1)).await;
    admin
        .run(&format!("select tenant.set_quota('{A}', 'api_calls', 5, 4), tenant.offboard('{A}', 'leaves', now())"))
        .await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "update tenant.usage set day = day - 3; select tenant.roll_up_usage(), tenant.export_usage('2020-01-01');
        update tenant.tenants set purge_after = now() - interval '1 s' where id = '{A}'"
    ))
    .await;
    admin.run(&format!("select tenant.mark_purged('{A}', 'left')")).await;
    for table in ["usage", "usage_days", "usage_warnings", "usage_records", "quotas"] {
        let left = format!("select count(*) from tenant.{table} where tenant_id = '{A}'");
        assert_eq!(boss.value(&left).await.as_deref(), Some("0"), "{table}");
    }
}

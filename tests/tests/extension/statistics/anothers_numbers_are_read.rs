//! Numbers are an operator's to read; a tenant reads its own.

use pg_tenant_tests::shop::{A, B, shop};

const VIEWS: [&str; 6] = [
    "tenant.stat_tenants",
    "tenant.stat_refusals",
    "tenant.stat_tenants_recent",
    "tenant.stat_tenants_hour",
    "tenant.stat_statements",
    "tenant.activity",
];

#[tokio::test]
async fn by_the_application_or_a_bystander() {
    let db = shop("numbers_of_others").await;
    for view in VIEWS {
        for session in [db.app().await, db.bystander().await] {
            session.expect_error("42501", &format!("select * from {view}")).await;
        }
    }
    db.app().await.expect_error("42501", "select tenant.reset_statistics()").await;
    db.app().await.expect_error("42501", "select tenant_internal.stat_line('tenant', 'a')").await;
}

#[tokio::test]
async fn inside_a_tenant_by_one_who_reads_all_outside() {
    let db = shop("numbers_inside").await;
    let both = format!("regress_{}_both", db.name);
    db.superuser().await.run(&format!("create role {both} login in role tenant_user, tenant_admin")).await;
    let (app, both) = (db.app().await, db.connect(&both).await);
    for id in [A, B] {
        app.run(&format!("begin; select tenant.enter('{id}'); select * from orders; commit")).await;
        app.batch_execute(&format!("begin; select tenant.enter('{id}'); select tenant.enter('none-such'); rollback"))
            .await
            .expect_err("a second tenant");
        app.run("rollback").await;
    }
    let outside = both.value("select count(*) from tenant.stat_tenants where context = 'tenant'").await;
    assert_eq!(outside.as_deref(), Some("2"));
    let elsewhere = db.app().await;
    elsewhere.run(&format!("begin; select tenant.enter('{B}')")).await;
    both.run(&format!("begin; select tenant.enter('{A}')")).await;
    // What is the extension's own is closed in a tenant; what is not, shows the tenant's own.
    for view in VIEWS {
        both.run("savepoint s").await;
        match both.simple_query(&format!("select 1 from {view} where tenant_id is distinct from '{A}'")).await {
            Ok(seen) => assert!(seen.len() <= 2, "{view}: {seen:?}"),
            Err(refused) => assert_eq!(refused.code().map(|code| code.code()), Some("TN070"), "{view}: {refused}"),
        }
        both.run("rollback to s").await;
    }
    for line in ["stat_steps(false)", "stat_steps(true)", "stat_samples()"] {
        let line = &format!("select tenant_internal.{line}");
        let seen = both.value(line).await.unwrap_or_default();
        assert!(seen.matches("\"k\"").count() <= 1, "{line}: {seen}");
    }
    let line = format!(
        "select tenant_internal.stat_line('tenant', '{B}') is null and tenant_internal.stat_line('none', null) is null"
    );
    assert_eq!(both.value(&line).await.as_deref(), Some("t"));
    both.run("rollback").await;
    assert_eq!(
        both.value("select count(*) from tenant.activity where tenant_id is not null").await.as_deref(),
        Some("1"),
        "outside, the other's session is seen"
    );
}

#[tokio::test]
async fn a_tenant_reads_its_own() {
    let db = shop("numbers_own").await;
    let app = db.app().await;
    let own = "select transactions, selects, rows_read from tenant.own_statistics()";
    app.run(&format!("begin; select tenant.enter('{B}'); select * from orders; commit")).await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    assert_eq!(app.rows(own).await, [] as [Vec<Option<String>>; 0], "nothing of this one's has ended yet");
    app.run("commit").await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    let row = app.rows(own).await.remove(0);
    assert_eq!(row[0].as_deref(), Some("1"));
    app.run("rollback").await;
    assert_eq!(app.rows(own).await.len(), 0, "with no tenant, none");
}

#[tokio::test]
async fn and_an_administrator_begins_them_anew() {
    let db = shop("numbers_anew").await;
    let (app, admin) = (db.app().await, db.admin().await);
    app.run(&format!("begin; select tenant.enter('{A}'); select * from orders; commit")).await;
    admin.run("select tenant.reset_statistics()").await;
    let left = format!("select transactions + selects + rows_read from tenant.stat_tenants where tenant_id = '{A}'");
    assert_eq!(admin.value(&left).await.as_deref(), Some("0"));
}

//! Entering does not query the registry in every transaction.

use pg_tenant_tests::shop::{A, B, shop, shop_on};
use pg_tenant_tests::{Cluster, Options, Session};

/// How often the registry and its indexes were read, by this and every session.
async fn reads(superuser: &Session) -> i64 {
    superuser.run("select pg_stat_clear_snapshot()").await;
    let sum = "select pg_stat_get_numscans('tenant.tenants'::regclass)
        + (select sum(pg_stat_get_numscans(indexrelid)) from pg_index where indrelid = 'tenant.tenants'::regclass)";
    superuser.value(sum).await.expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn in_each_transaction() {
    let cluster = Cluster::start(Options::default()); // where nobody else changes many tenants at once
    let db = shop_on(&cluster, "cost").await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    superuser
        .run("grant pg_read_all_stats to current_user; alter table tenant.tenants set (autovacuum_enabled = off)")
        .await;
    for tenant in [A, B] {
        app.inside(tenant, "table orders").await;
    }
    // The backend sends its counts before it answers.
    app.run("select pg_stat_force_next_flush()").await;
    let before = reads(&superuser).await;
    for n in 0..1000 {
        app.run(&format!("select tenant.enter('{}')", if n % 2 == 0 { A } else { B })).await;
    }
    app.run("select pg_stat_force_next_flush()").await;
    assert_eq!(reads(&superuser).await - before, 0, "a thousand entries read the registry");

    // That this count sees a read: a tenant that is asked for the first time.
    app.expect_error("TN002", "select tenant.enter('first')").await;
    app.run("select pg_stat_force_next_flush()").await;
    assert_eq!(reads(&superuser).await - before, 1);
}

/// Nor does it lock the registry: with it locked against everybody, who has entered before enters again.
#[tokio::test]
async fn and_waits_for_whoever_works_on_the_registry() {
    let cluster = Cluster::start(Options::default()); // where nobody else changes many tenants at once
    let db = shop_on(&cluster, "locked").await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    app.run("set lock_timeout = '100ms'").await;
    for tenant in [A, B] {
        app.inside(tenant, "table orders").await;
    }
    superuser.run("begin; lock table tenant.tenants in access exclusive mode").await;
    for tenant in [A, B] {
        assert!(!app.inside(tenant, "table orders").await.is_empty());
    }
    app.refused_inside("55P03", "first", "select 1").await;
    superuser.run("rollback").await;
}

/// The application needs no right to read it.
#[tokio::test]
async fn with_the_rights_of_the_application() {
    let db = shop("rights").await;
    for session in [db.app().await, db.bystander().await] {
        session.expect_error("42501", "select * from tenant.tenants").await;
    }
    db.app().await.inside(A, "table orders").await;
}

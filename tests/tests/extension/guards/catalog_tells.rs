//! A catalog that everybody may read shows no values of other tenants' rows, and not which tenants there are.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Statistics that PostgreSQL shows to the owner of a table under forced row-level security, and to who reads
/// everything.
const STATISTICS: &[&str] = &[
    "select count(*) from pg_stats where tablename = '{t}_upper' and {values}",
    "select count(*) from (select (select tablename from pg_stats s where s.tablename = '{t}_upper' and {values} limit 1) t) x where t is not null",
    "with s as (table pg_stats) select count(*) from s where tablename = '{t}_upper' and {values}",
    "select count(*) from pg_stats_of_all where tablename = '{t}_upper' and {values}",
    "select count(*) from pg_stats where tablename = '{t}_kept' and attname = 'note' and {values}",
];

async fn stage(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let (owner, boss) = (db.owner().await, db.superuser().await);
    boss.run(
        "set pg_tenant.guards = off; create materialized view orders_kept as table orders;
              create materialized view stock_orders_kept as table stock_orders; analyze orders_kept, stock_orders_kept;
              grant select on orders_kept, stock_orders_kept to public; create view pg_stats_of_all as select tablename, most_common_vals::text, histogram_bounds::text from pg_stats;
              grant select on pg_stats_of_all to public",
    )
    .await;
    for table in ["orders", "stock_orders"] {
        owner
            .run(&format!(
                "create index {table}_upper on {table} (upper(note)); create statistics {table}_both on tenant_id, note from {table}"
            ))
            .await;
        boss.run(&format!("alter materialized view {table}_kept owner to {}; analyze {table}", db.roles.owner)).await;
    }
    db
}

async fn shown(session: &Session, table: &str) -> Vec<Option<String>> {
    let mut answers = Vec::new();
    for sql in STATISTICS {
        let values = "coalesce(most_common_vals::text, histogram_bounds::text) ilike '%note 5%'";
        answers.push(session.value(&sql.replace("{t}", table).replace("{values}", values)).await);
    }
    answers
}

#[tokio::test]
async fn values_in_statistics() {
    let db = stage("told_values").await;
    let (boss, owner) = (db.superuser().await, db.owner().await);
    let (all, none) = (vec![Some("1".to_owned()); STATISTICS.len()], vec![Some("0".to_owned()); STATISTICS.len()]);
    // The hole: the owner, to whom the policy applies.
    assert_eq!(shown(&owner, "stock_orders").await, all);
    assert_eq!(shown(&owner, "orders").await, none);
    assert_eq!(shown(&boss, "orders").await, all);
    boss.run(&format!("grant tenant_user, pg_read_all_data to {}", db.roles.owner)).await;
    let owner = db.owner().await;
    owner.run("prepare s as select count(*) from pg_stats where tablename = $1; execute s('orders_upper')").await;
    owner.run(&format!("begin; select tenant.enter('{A}')")).await;
    assert_eq!(shown(&owner, "orders").await, none);
    assert_eq!(owner.value("execute s('orders_upper')").await.as_deref(), Some("0"));
    assert_eq!(owner.value("select count(*) from pg_stats_ext where tablename = 'orders'").await.as_deref(), Some("0"));
    // What is not protected is shown as ever.
    assert_eq!(shown(&owner, "stock_orders").await[..4], all[..4]);
    owner.run("rollback").await;
    // A backup, to which no policy applies, dumps statistics from here.
    boss.run(&format!("grant pg_read_all_data to {}", db.roles.backup)).await;
    assert_eq!(shown(&db.backup().await, "orders").await, all);
}

#[tokio::test]
async fn tenants_in_settings() {
    let db = shop("told_tenants").await;
    let (admin, app) = (db.admin().await, &db.roles.app);
    let other = format!("regress_{}_other", db.name);
    db.superuser()
        .await
        .run(&format!("create role {other} login in role tenant_user; alter role {other} set work_mem = '9MB'"))
        .await;
    admin.run(&format!("select tenant.bind_role('{app}', '{A}'), tenant.bind_role('{other}', '{B}')")).await;
    let ways = [
        format!("select count(*) from pg_db_role_setting where setconfig::text ~ '{B}'"),
        format!("select count(*) from pg_roles where rolconfig::text ~ '{B}'"),
        format!("select count(*) from pg_user where useconfig::text ~ '{B}'"),
        format!(
            "select count(*) from (select rolname from pg_roles r where exists (select from pg_db_role_setting where setrole = r.oid and setconfig::text ~ '{B}')) x"
        ),
    ];
    let (bound, bystander) = (db.app().await, db.bystander().await);
    for way in ways {
        assert_eq!(bystander.value(&way).await.as_deref(), Some("1"), "the hole: {way}");
        assert_eq!(bound.value(&way).await.as_deref(), Some("0"), "{way}");
        assert_ne!(bound.value(&way.replace(B, A)).await.as_deref(), Some("0"), "its own: {way}");
    }
    // Who logs in is listed as before, and so it is with no tenant.
    assert_eq!(
        bound.value(&format!("select count(*) from pg_roles where rolname = '{other}'")).await.as_deref(),
        Some("1")
    );
    assert_eq!(
        admin.value(&format!("select tenant_id from tenant.bound_roles where role = '{other}'")).await.as_deref(),
        Some(B)
    );
}

#[tokio::test]
async fn large_objects_in_their_list() {
    let db = shop("told_objects").await;
    db.superuser().await.run("select lo_create(0)").await;
    let app = &db.roles.app;
    assert_eq!(db.app().await.value("select count(*) from pg_largeobject_metadata").await.as_deref(), Some("1")); // the hole
    assert_eq!(
        db.app().await.inside_value(A, "select count(*) from pg_largeobject_metadata").await.as_deref(),
        Some("0")
    );
    let own = db.app().await.value("select lo_create(0)").await.expect("an oid");
    db.admin().await.run(&format!("select tenant.bind_role('{app}', '{A}')")).await;
    assert_eq!(db.app().await.rows("select oid from pg_largeobject_metadata").await, [[Some(own)]]);
}

#[tokio::test]
async fn what_others_do_in_functions() {
    let db = shop("told_activity").await;
    let app = db.app().await;
    let asked = ["select * from pg_replication_slots", "select * from pg_get_multixact_members('1')"];
    for sql in asked {
        let _ = app.batch_execute(sql).await; // the hole: it answers
        assert!(app.inside(A, sql).await.is_empty(), "{sql}");
    }
    db.refuse_side_channels().await;
    for sql in asked {
        db.app().await.refused_inside("TN062", A, sql).await;
    }
}

//! What a plan gives is in force for its tenants, unless a tenant has its own; a change of either reaches every
//! backend's next transaction.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

const SHOWN: &str = "select current_setting('statement_timeout') || ' ' || current_setting('work_mem')";

async fn staged(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin
        .run(
            "select tenant.define_plan('basic', 1, statement_timeout => '20 s', work_mem => '1MB'),
                tenant.define_plan('gold', 2, statement_timeout => '90 s')",
        )
        .await;
    (db, admin, app)
}

#[tokio::test]
async fn unless_the_tenant_has_its_own() {
    let (_db, admin, app) = staged("plans_limits").await;
    let usual = app.inside_value(A, SHOWN).await.expect("settings");
    let default_memory = usual.split(' ').next_back().expect("work_mem").to_owned();
    admin.run(&format!("select tenant.set_plan('{A}', 'basic', 'signed up')")).await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("20s 1MB"));
    assert_eq!(app.inside_value(B, SHOWN).await, Some(usual.clone()));
    // Nothing inside raises it.
    app.refused_inside("TN009", A, "set local statement_timeout = '5 min'; select 1").await;
    // The tenant's own stands before it, and the rest is the plan's still.
    admin.run(&format!("select tenant.set_limits('{A}', statement_timeout => '2 min')")).await;
    assert_eq!(app.inside_value(A, SHOWN).await.as_deref(), Some("2min 1MB"));
    let view =
        format!("select statement_timeout_ms || ' ' || work_mem_kb from tenant.limits_in_force where id = '{A}'");
    assert_eq!(admin.value(&view).await.as_deref(), Some("120000 1024"));
    admin.run(&format!("select tenant.set_limits('{A}')")).await;
    admin.run(&format!("select tenant.set_plan('{A}', 'gold')")).await;
    assert_eq!(app.inside_value(A, SHOWN).await, Some(format!("90s {default_memory}")));
    admin.run(&format!("select tenant.set_plan('{A}', null)")).await;
    assert_eq!(app.inside_value(A, SHOWN).await, Some(usual));
}

/// Of a backend that remembers the tenant, one that remembers it from shared memory, and one that is new.
#[tokio::test]
async fn a_change_reaches_everybody() {
    let (db, admin, app) = staged("plans_change").await;
    admin.run(&format!("select tenant.set_plan(id, 'basic') from tenant.tenants where id in ('{A}', '{B}')")).await;
    for (change, expected) in [
        ("select tenant.define_plan('basic', 1, statement_timeout => '30 s', work_mem => '2MB')", "30s 2MB"),
        ("begin; select tenant.define_plan('basic', 1); rollback", "30s 2MB"),
        (
            "begin; savepoint s; select tenant.define_plan('basic', 1); rollback to s;
             select tenant.define_plan('basic', 1, statement_timeout => '40 s', work_mem => '3MB'); commit",
            "40s 3MB",
        ),
    ] {
        let other = db.app().await;
        other.inside(B, SHOWN).await;
        admin.run(change).await;
        for session in [&app, &other, &db.app().await] {
            for tenant in [A, B] {
                assert_eq!(session.inside_value(tenant, SHOWN).await.as_deref(), Some(expected), "{change}");
            }
        }
    }
    // With its triggers off, and by TRUNCATE.
    let boss = db.superuser().await;
    boss.run(
        "begin; alter table tenant.plans disable trigger all; update tenant.plans set work_mem_kb = 5120;
         alter table tenant.plans enable trigger all; alter table tenant.plans enable always trigger plans_changed; commit",
    )
    .await;
    assert_eq!(db.app().await.inside_value(A, "show work_mem").await.as_deref(), Some("5MB"));
    boss.run("truncate tenant.plans").await;
    assert_ne!(app.inside_value(A, "show work_mem").await.as_deref(), Some("5MB"));
}

#[tokio::test]
async fn a_plan_is_defined_and_dropped() {
    let (db, admin, app) = staged("plans_defined").await;
    for (code, call) in [
        ("TN051", "select tenant.define_plan('x', statement_timeout => '0')"),
        ("TN051", "select tenant.define_plan('x', work_mem => '1kB')"),
        ("TN136", "select tenant.define_plan('x', features => '[]')"),
        ("TN136", "select tenant.define_plan('x', quotas => '1')"),
        ("TN136", "select tenant.define_plan(' ')"),
        ("TN136", "select tenant.define_plan(null)"),
        ("TN100", "select tenant.define_plan(e'a\\nb')"),
        ("TN136", "select tenant.set_plan('{a}', 'silver')"),
        ("TN002", "select tenant.set_plan('nobody', 'gold')"),
        ("TN136", "select tenant.drop_plan('silver', 'not used')"),
        ("TN029", "select tenant.drop_plan('gold', '')"),
        ("42501", "insert into tenant.plans (plan) values ('x')"),
        ("42501", "delete from tenant.plans"),
    ] {
        let refused = admin.expect_error(code, &call.replace("{a}", A)).await;
        assert!(code == "42501" || refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    admin.run(&format!("select tenant.set_plan('{A}', 'gold')")).await;
    admin.expect_error("TN136", "select tenant.drop_plan('gold', 'not sold any more')").await;
    admin
        .run(&format!("select tenant.set_plan('{A}', 'basic', 'moved'), tenant.drop_plan('gold', 'not sold any more')"))
        .await;
    let lines =
        admin.rows("select action, object, coalesce(reason, '-') from tenant.journal order by id desc limit 2").await;
    let lines: Vec<_> = lines.iter().map(|line| line.iter().flatten().cloned().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["drop_plan gold not sold any more".to_owned(), format!("change {A} moved")]);
    for call in ["table tenant.plans", "select tenant.define_plan('x')", "table tenant.limits_in_force"] {
        app.expect_error("42501", call).await;
    }
    let _ = db;
}

//! A tenant reads a line that is not its own: another tenant's, or the operators'.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Lines of both tenants, and of none.
async fn stage(name: &str) -> Database<'static> {
    let db = shop(name).await;
    db.superuser()
        .await
        .run(&format!(
            "select tenant_internal.write_journal('noted', 'secret of ' || t, 'why', '{{\"to\": 1}}', t) from unnest('{{{A},{B}}}'::text[]) t;
             select tenant_internal.write_journal('noted', 'of the operators', 'why');
             grant create on schema public to {}",
            db.roles.app
        ))
        .await;
    db
}

async fn read(session: &Session, tenant: &str, sql: &str) -> Vec<String> {
    session.inside(tenant, sql).await.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn by_asking_for_it() {
    let db = stage("log_asked").await;
    let (app, admin) = (db.app().await, db.admin().await);
    let all = "select object from tenant.audit_log order by id";
    for tenant in [A, B] {
        assert_eq!(read(&app, tenant, all).await, [format!("secret of {tenant}")]);
    }
    assert!(app.rows(all).await.is_empty(), "no tenant");
    // Operators read all of it, as before.
    let lines = "select count(*) from tenant.journal where action = 'noted'";
    assert_eq!(admin.value(lines).await.as_deref(), Some("3"));
    app.expect_error("42501", lines).await;
}

/// A condition that the planner may take for the view's own, or run before it.
#[tokio::test]
async fn by_a_condition_that_lies() {
    let db = stage("log_lied").await;
    let app = db.app().await;
    app.run(&format!(
        "create function says(text) returns boolean language plpgsql cost 0.00001 as $$ begin raise notice '%', $1; return true; end $$;
         create function other() returns text stable language sql as $$ select set_config('app.b', '{B}', true) $$"
    ))
    .await;
    for condition in [
        format!("tenant_id = '{B}'"),
        format!("tenant_id in ('{A}', '{B}')"),
        "tenant_id = current_setting('app.b')".to_owned(),
        "tenant_id = other()".into(),
        "tenant_id = (select other())".into(),
        "says(object)".into(),
        "says(tenant_id) or true".into(),
    ] {
        let sql = format!(
            "set local enable_indexscan = off; set local enable_bitmapscan = off; select set_config('app.b', '{B}', true); select object from tenant.audit_log where {condition}"
        );
        let seen = read(&app, A, &sql).await.join(" ") + &format!("{:?}", app.notices());
        assert!(!seen.contains(&format!("secret of {B}")) && !seen.contains("operators"), "{condition}: {seen}");
    }
    // The hole: a view without a barrier shows the condition every row.
    let boss = db.superuser().await;
    boss.run(&format!(
        "create view plain as select object from tenant.journal where tenant_id = current_setting('app.a', true);
         grant select on plain to {}",
        db.roles.app
    ))
    .await;
    app.run("set enable_indexscan = off; set enable_bitmapscan = off; select object from plain where says(object)")
        .await;
    assert!(format!("{:?}", app.notices()).contains(&format!("secret of {B}")), "stock");
}

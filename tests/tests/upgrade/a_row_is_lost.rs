//! The upgrade from 0.1.0 keeps everything, and nothing is open meanwhile: tenants, journal, waivers, bound roles,
//! protected tables.

use pg_tenant_tests::{Cluster, Session};

use crate::formerly::{bound, upgrade, used};

/// What each tenant sees of each table.
const TABLES: [(&str, &str, &str); 10] = [
    ("acme", "by_text", "1"),
    ("globex", "by_text", "2 3"),
    ("acme", "by_varchar", "1"),
    ("11111111-1111-4111-8111-111111111111", "by_uuid", "1"),
    ("42", "by_int", "1"),
    ("42", "by_smallint", "1"),
    ("42", "by_bigint", "1"),
    ("acme", "base", "1 3"),
    ("globex", "hard", "2"),
    ("acme", "own_policies", "1"),
];

async fn kept(app: &Session) {
    for (tenant, table, ids) in TABLES {
        let sql = format!("select string_agg(id::text, ' ' order by id) from {table}");
        assert_eq!(app.inside_value(tenant, &sql).await.as_deref(), Some(ids), "{tenant} in {table}");
        app.expect_error("TN001", &format!("select * from {table}")).await;
    }
    app.expect_error("TN003", "begin; select tenant.enter('gone')").await;
    app.run("rollback").await;
}

const JOURNAL: &str =
    "select string_agg(format('%s %s %s %s', action, object, reason, detail), E'\\n' order by id) from tenant.journal";

#[tokio::test]
async fn on_the_way() {
    let db = used("kept").await;
    let boss = db.superuser().await;
    boss.run(r#"update tenant.tenants set settings = '{"tz": "Europe/Vienna", "Not a name": 1}' where id = 'acme'"#)
        .await;
    let lines = boss.value(JOURNAL).await;
    let rows = "select string_agg((to_jsonb(t) - '{changed_at,status_since,purge_after,status_detail,rates}'::text[])::text, ' ' order by id) from tenant.tenants t";
    let tenants = boss.value(rows).await;
    kept(&db.app().await).await;
    upgrade(&db).await;
    assert_eq!(boss.value(JOURNAL).await, lines);
    assert_eq!(boss.value(rows).await, tenants);
    assert_eq!(boss.value("select count(*) from tenant.waivers").await.as_deref(), Some("1"));
    assert_eq!(
        boss.value("select string_agg(relation::text, ' ') from tenant.shared").await.as_deref(),
        Some("countries")
    );
    kept(&db.app().await).await;

    // What was in use is declared, and goes on.
    let app = db.app().await;
    assert_eq!(app.inside_value("acme", "select tenant.setting('tz')").await.as_deref(), Some("Europe/Vienna"));
    let settings = r#"update tenant.tenants set settings = settings || '{"tz": "UTC"}' where id = 'acme'"#;
    db.admin().await.run(settings).await;
    let left = "select string_agg(object, ' ') from tenant.doctor() where code = 'T137'";
    assert_eq!(boss.value(left).await.as_deref(), Some("setting Not a name"));

    let role = bound(&db);
    let bi = db.connect(&role).await;
    assert_eq!(bi.value("select count(*) from over_it").await.as_deref(), Some("1"));
    bi.expect_error("TN006", "select tenant.enter('globex')").await;

    // Until it has the new fence a table is a finding; then it is none, and what is not the extension's stays as it
    // was.
    let former = "select count(*) from tenant.doctor() where code = 'T100' and level = 'error'";
    assert_eq!(boss.value(former).await.as_deref(), Some("13"));
    boss.run("call tenant.upgrade_fences()").await;
    assert_eq!(boss.value(former).await.as_deref(), Some("0"));
    let policies = "select string_agg(polname || coalesce(pg_get_expr(polqual, polrelid), ''), ' ' order by polname)
        from pg_policy where polrelid = 'own_policies'::regclass";
    assert_eq!(
        boss.value(policies).await.as_deref(),
        Some(
            "all_of_ittrue other_name((tenant_id = tenant.current_id()) AND tenant.is_current(tenant_id)) small(id < 100)"
        )
    );
    kept(&db.app().await).await;
    assert_eq!(db.connect(&role).await.value("select count(*) from over_it").await.as_deref(), Some("1"));
    for table in ["by_text", "by_varchar"] {
        boss.run(&format!("select tenant.unprotect('{table}', 'no more')")).await;
        let left = format!("select count(*) from pg_policy where polrelid = '{table}'::regclass");
        assert_eq!(boss.value(&left).await.as_deref(), Some("0"));
    }
}

/// A dump of a database of 0.1.0, and of one that was upgraded, makes one of this version.
#[tokio::test]
async fn in_a_dump() {
    let source = used("dumped").await;
    let boss = source.superuser().await;
    for upgraded in [false, true] {
        if upgraded {
            upgrade(&source).await;
        }
        let target = Cluster::shared().plain_database("restored").await;
        target.psql("postgres", &source.dump("postgres").expect("pg_dump")).expect("psql");
        let restored = target.superuser().await;
        assert_eq!(
            restored.value("select extversion from pg_extension where extname = 'pg_tenant'").await.as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(restored.value(JOURNAL).await, boss.value(JOURNAL).await);
        kept(&target.connect(&source.roles.app).await).await;
        restored.run("call tenant.upgrade_fences()").await;
        kept(&target.connect(&source.roles.app).await).await;
    }
}

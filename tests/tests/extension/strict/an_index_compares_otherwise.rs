//! An index is asked for the current tenant under another collation than the column's, and may give other tenants'
//! rows: there the fence stays in the scan. Where the index compares as the column does it may go.

use pg_tenant_tests::{Database, Session, database, skipped};

/// `bags`: two rows of acme, three of ACME, one of globex; the only index compares under the collation.
async fn bags(name: &str, collation: &str) -> Database<'static> {
    let db = database(name).await;
    let boss = db.superuser().await;
    boss.run("select tenant.create('acme'), tenant.create('globex')").await;
    boss.run(&format!("create collation otherwise {collation}")).await;
    boss.run(
        "create table bags (tenant_id text, id int);
         insert into bags values ('acme', 1), ('ACME', 2), ('acme', 3), ('ACME', 4), ('globex', 5), ('ACME', 6);
         select tenant.protect('bags');
         drop index bags_tenant_id_idx; analyze bags;
         create index bags_otherwise on bags (tenant_id collate otherwise, id);
         grant all on bags to public",
    )
    .await;
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    db
}

const SCANS: [&str; 3] = [
    "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off",
    "set local enable_seqscan = off; set local enable_bitmapscan = off",
    "set local enable_seqscan = off; set local enable_indexscan = off; set local enable_indexonlyscan = off",
];

const OTHERWISE: &str = "from bags where tenant_id collate otherwise = tenant.current_id()";

async fn inside(app: &Session, scan: &str, sql: &str) -> Vec<String> {
    app.run(&format!("begin; select tenant.enter('acme'); {scan}")).await;
    let rows = app.rows(sql).await;
    app.run("rollback").await;
    rows.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn under_another_collation() {
    let db = bags("collations", "from \"POSIX\"").await;
    let app = db.app().await;
    for scan in SCANS {
        let plan = inside(&app, scan, &format!("explain (costs off) select id {OTHERWISE}")).await.join("\n");
        assert!(plan.contains("bags_otherwise") && plan.contains("Index Cond: "), "the index is asked: {plan}");
        assert!(plan.contains("Filter: tenant.is_current(tenant_id)"), "{plan}");
    }
    db.superuser().await.run("create index bags_likewise on bags (tenant_id); drop index bags_otherwise").await;
    let plan = inside(&app, SCANS[0], "explain (costs off) select id from bags").await.join("\n");
    assert!(plan.contains("bags_likewise") && !plan.contains("Filter"), "it may go here: {plan}");
}

/// Two tenants that are one to the index.
#[tokio::test]
async fn that_takes_two_for_one() {
    let loose = "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    let probe = database("collations_icu").await;
    if probe.superuser().await.batch_execute(&format!("create collation loose {loose}")).await.is_err() {
        skipped("this server has no ICU, and so no collation that takes two texts for one");
        return;
    }
    let db = bags("collations_loose", loose).await;
    let app = db.app().await;
    for scan in SCANS {
        let plan = inside(&app, scan, &format!("explain (costs off) select id {OTHERWISE}")).await.join("\n");
        assert!(plan.contains("bags_otherwise"), "{plan}");
        assert_eq!(inside(&app, scan, &format!("select id {OTHERWISE} order by id")).await, ["1", "3"], "{scan}");
        let delete = format!("delete {OTHERWISE} returning id");
        assert_eq!(inside(&app, scan, &delete).await, ["1", "3"], "{scan}");
    }
    let all = "select count(*)::text from bags where tenant_id collate otherwise = 'acme'";
    assert_eq!(db.superuser().await.value(all).await.as_deref(), Some("5"), "the index gives both");
}

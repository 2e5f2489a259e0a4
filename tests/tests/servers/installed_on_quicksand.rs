//! Objects that were in the database before the extension do not change what the extension does.

use pg_tenant_tests::Cluster;

#[tokio::test]
async fn a_schema_of_somebody_else() {
    let db = Cluster::shared().plain_database("mine").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant create on database {} to {}", db.name, db.roles.bystander)).await;
    let mallory = db.connect(&db.roles.bystander).await;
    mallory
        .run(
            "create schema tenant;
             create function tenant.format(text, regnamespace, name) returns text language plpgsql as $$
                begin execute 'alter role current_user superuser'; return ''; end $$",
        )
        .await;
    let refused = boss.expect_error("TN038", "create extension pg_tenant").await; // TN038
    assert!(refused.hint().is_some() && refused.message().contains("not a superuser"), "{refused:?}");
    boss.run("alter schema tenant owner to current_user").await;
    let refused = boss.expect_error("TN038", "create extension pg_tenant").await;
    assert!(refused.message().contains("not empty"), "{refused:?}");
    boss.run("drop schema tenant cascade; create schema tenant").await; // as a restore does
    mallory.run("create schema tenant_internal").await;
    let refused = boss.expect_error("TN038", "create extension pg_tenant").await;
    assert!(refused.message().contains("exists already"), "{refused:?}");
    boss.run("drop schema tenant_internal; create extension pg_tenant").await;
}

#[tokio::test]
async fn roles_that_somebody_else_may_grant() {
    let cluster = Cluster::start(pg_tenant_tests::Options::default());
    let db = cluster.plain_database("premade").await;
    let boss = db.superuser().await;
    boss.run(&format!("create role tenant_admin; grant tenant_admin to {} with admin option", db.roles.bystander))
        .await;
    boss.run("create extension pg_tenant").await;
    let warned = boss.notices().into_iter().find(|notice| notice.message().contains("may grant role tenant_admin"));
    boss.run(warned.as_ref().and_then(|warned| warned.hint()).expect("a warning with a remedy")).await;
    boss.run("drop extension pg_tenant; drop schema tenant; create extension pg_tenant").await;
    assert!(!boss.notices().iter().any(|notice| notice.message().contains("may grant role")), "the remedy holds");
}

#[tokio::test]
async fn an_encoding_without_the_signs_of_utf8() {
    let db = Cluster::shared().plain_database("encoding").await;
    let boss = db.superuser().await;
    for encoding in ["EUC_JP", "LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", db.name, encoding.to_lowercase());
        boss.run(&format!("create database {name} template template0 encoding '{encoding}'")).await;
        let there = pg_tenant_tests::Session::connect(&db.cluster().config(&name, "postgres")).await;
        there.run("create extension pg_tenant; select tenant.create('acme')").await;
        if encoding == "LATIN1" {
            // Names are the server's, in its encoding.
            there
                .run(
                    "create table \"t\u{ef}r\" (\"mand\u{e4}nt\" text);
                     select tenant.protect('\"t\u{ef}r\"', tenant_column => 'mand\u{e4}nt')",
                )
                .await;
            let refused =
                there.expect_error("TN030", "alter table \"t\u{ef}r\" alter \"mand\u{e4}nt\" drop not null").await;
            assert!(refused.message().contains("t\u{ef}r"), "{refused:?}");
        }
        if encoding == "SQL_ASCII" {
            // Names are whatever bytes they are. Those are no UTF-8, and no client of ours could send or be sent them.
            let run = |sql: &str| {
                let sql = sql
                    .replace("COLUMN", "' || quote_ident('mand' || chr(228) || 'nt') || '")
                    .replace("NAME", "' || quote_literal('mand' || chr(228) || 'nt') || '");
                format!(
                    "do $do$ begin execute '{sql}';
                     exception when others then raise exception using errcode = sqlstate, message = 'refused'; end $do$"
                )
            };
            there.run(&run("create table t (COLUMN text, other text)")).await;
            there.run(&run("select tenant.protect(''t'', tenant_column => NAME)")).await;
            for weaker in ["alter COLUMN drop not null", "drop COLUMN", "alter COLUMN type varchar"] {
                there.expect_error("TN030", &run(&format!("alter table t {weaker}"))).await;
            }
            there.run("alter table t drop other").await;
        }
    }
}

//! Somebody but a superuser changes or removes a line of the journal: by a right, or by a function that runs as its
//! owner.

use pg_tenant_tests::shop::{A, shop};

/// Where lines stand: the journal itself, and its parts.
const TABLES: [&str; 5] = [
    "tenant.journal",
    "tenant_internal.journal_lines",
    "tenant_internal.journal_protection",
    "tenant_internal.journal_rest",
    "{month}",
];

const MONTH: &str = "select to_char(now() at time zone 'UTC', '\"tenant_internal.journal_\"YYYY_MM')";

#[tokio::test]
async fn by_a_function_of_the_owner() {
    let db = shop("by_owner").await;
    let boss = db.superuser().await;
    let month = boss.value(MONTH).await.expect("a month");
    // Lines in each part.
    boss.run("insert into tenant.journal (at, action, object) values ('2001-01-01', 'old', 'x')").await;
    boss.run(
        "create function public.as_owner(statement text) returns void language plpgsql security definer as
             $$ begin execute statement; end $$",
    )
    .await;
    let app = db.app().await;
    // The hole: on any other table it does what its caller wants.
    boss.run("create table notes as table tenant.journal").await;
    for statement in ["update notes set reason = ''", "delete from notes", "truncate notes"] {
        app.run(&format!("select as_owner($s${statement}$s$)")).await;
    }
    let count = "select count(*), string_agg(reason, ',' order by id) from tenant.journal";
    let before = boss.rows(count).await;
    for table in TABLES.map(|table| table.replace("{month}", &month)) {
        for statement in ["update {t} set reason = ''", "delete from {t}", "truncate {t}"] {
            let statement = statement.replace("{t}", &table);
            app.expect_error("TN155", &format!("select as_owner($s${statement}$s$)")).await;
            db.admin().await.expect_error("42501", &statement).await;
        }
    }
    assert_eq!(boss.rows(count).await, before);
    // A superuser may: what removes a line shows elsewhere.
    boss.run(
        "begin; update tenant.journal set reason = 'x'; delete from tenant.journal; truncate tenant.journal; rollback",
    )
    .await;
    // Without its trigger it was as open as any other.
    boss.run(
        "begin; alter table tenant.journal disable trigger keep_line; select as_owner('delete from tenant.journal')",
    )
    .await;
    assert_eq!(boss.value("select count(*) from tenant.journal").await.as_deref(), Some("0"));
    boss.run("rollback").await;
}

#[tokio::test]
async fn by_a_tenant() {
    let db = shop("by_tenant").await;
    let (app, month) = (db.app().await, db.superuser().await.value(MONTH).await.expect("a month"));
    for table in TABLES.map(|table| table.replace("{month}", &month)) {
        for statement in ["insert into {t} (action, object) values ('x', 'x')", "delete from {t}", "select from {t}"] {
            app.refused_inside("42501", A, &statement.replace("{t}", &table)).await;
        }
    }
    for statement in [
        "insert into tenant.audit_log (action, object) values ('x', 'x')",
        "update tenant.audit_log set reason = ''",
        "delete from tenant.audit_log",
    ] {
        app.refused_inside("42501", A, statement).await;
    }
    // Whoever may write every table reaches no part of it inside a tenant.
    let bi = format!("regress_{}_bi", db.name);
    let grants = format!("create role {bi} login; grant tenant_user, pg_read_all_data, pg_write_all_data to {bi}");
    db.superuser().await.run(&grants).await;
    let bi = db.connect(&bi).await;
    for table in TABLES.map(|table| table.replace("{month}", &month)) {
        bi.refused_inside("TN070", A, &format!("select from {table}")).await;
        bi.refused_inside("TN070", A, &format!("delete from {table}")).await;
    }
}

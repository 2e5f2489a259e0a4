//! Relations that hold rows of every tenant and are no tables are read or written inside a tenant, by a right that
//! somebody gave for other ends: a predefined role, a grant.

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Database, Session, skipped};

/// Each reads or writes what is every tenant's. `{t}`: the TOAST table of `docs`; `{s}`: that of `stock_docs`.
const STATEMENTS: &[&str] = &[
    "select convert_from(chunk_data, 'utf8') from {t}",
    "select chunk_data from {s}",
    "copy {t} to stdout",
    "select count(*) from (table {t}) t where false",
    "select stavalues1 from pg_statistic",
    "select (select count(*) from pg_statistic)",
    "select * from pg_statistic_ext_data",
    "select count(*) from pg_largeobject",
    "select chunk_data from pg_toast.pg_toast_2619",
    "select last_value from numbers",
    "table numbers",
    "select * from doc_numbers",
    "select rolpassword from pg_authid",
    "select umoptions from pg_user_mapping",
    "select id, slug from tenant.tenants",
    "select * from tenant.journal",
    "copy tenant.journal to stdout",
    "select * from tenant.shared",
    "select * from tenant.waivers",
    "table tenant.domains",
    "table tenant.former_slugs",
    "table tenant.plans",
    "table tenant.onboarding",
    "table tenant.onboardings",
    "table tenant.ready_pools",
    "table tenant.jobs",
    "table tenant.job_queues",
    "table tenant.job_kinds",
    "table tenant.schedules",
    "update tenant.jobs set payload = '{}'",
    "update tenant.tenants set status = 'suspended'",
    "insert into tenant.journal (action) values ('forged')",
    "delete from tenant.waivers",
    "declare c cursor for select * from tenant.tenants",
    "do $$ begin perform * from tenant.tenants; end $$",
];

async fn stage(name: &str) -> (Database<'static>, String) {
    let db = shop(name).await;
    let boss = db.superuser().await;
    db.owner()
        .await
        .run(&format!(
            "create sequence numbers; create sequence doc_numbers;
             create table docs (tenant_id uuid not null, id int default nextval('numbers'), body text);
             create table stock_docs (tenant_id uuid, body text);
             alter table docs alter body set storage external; alter table stock_docs alter body set storage external;
             insert into docs values ('{A}', 0, repeat('a secret ', 500)); insert into stock_docs select tenant_id, body from docs"
        ))
        .await;
    boss.run("select tenant.protect('docs'); analyze docs; select lo_from_bytea(0, 'secret')").await;
    let bi = format!("regress_{}_bi", db.name);
    boss.run(&format!(
        "create role {bi} login; grant tenant_user, pg_read_all_data, pg_write_all_data to {bi};
         grant select on doc_numbers to {bi}; grant select, update on tenant.tenants to {bi}"
    ))
    .await;
    (db, bi)
}

async fn toast_of(session: &Session, table: &str) -> String {
    session
        .value(&format!("select reltoastrelid::regclass from pg_class where relname = '{table}'"))
        .await
        .expect("one")
}

async fn filled(session: &Session, sql: &str) -> String {
    sql.replace("{t}", &toast_of(session, "docs").await).replace("{s}", &toast_of(session, "stock_docs").await)
}

#[tokio::test]
async fn by_a_right_on_everything() {
    let (db, bi) = stage("held").await;
    let session = db.connect(&bi).await;
    // The hole: what these roles are for.
    for sql in
        ["select chunk_data from {s}", "select count(*) from pg_largeobject", "table numbers", "table tenant.tenants"]
    {
        assert!(!session.rows(&filled(&session, sql).await).await.is_empty(), "{sql}");
    }
    for sql in STATEMENTS {
        let refused = session.refused_inside("TN070", A, &filled(&session, sql).await).await; // TN070
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{sql}: {refused:?}");
    }
    // The long values of a protected table are its rows: with no tenant as well.
    session.expect_error("TN070", &filled(&session, "select * from {t}").await).await;
    db.backup().await.run(&format!("set row_security = off; {}", filled(&session, "select * from {t}").await)).await;
    // What the role may do otherwise, it may.
    session.inside(A, "insert into docs (body) values ('x'); select currval('numbers'); select * from docs").await;
    session.inside(A, "select count(*) from stock_docs").await;
    session
        .inside(A, "select rolname from pg_roles; select count(*) from pg_stats; select * from pg_user_mappings")
        .await;
}

#[tokio::test]
async fn by_a_login_of_its_own() {
    let (db, bi) = stage("held_bound").await;
    let boss = db.superuser().await;
    boss.run(&format!("revoke pg_read_all_data, pg_write_all_data from {bi}")).await;
    db.admin().await.run(&format!("select tenant.bind_role('{bi}', '{A}')")).await;
    // What was granted since the binding is nothing the less.
    boss.run(&format!("grant pg_read_all_data, pg_write_all_data to {bi}")).await;
    let session = db.connect(&bi).await;
    for sql in STATEMENTS {
        let sql = filled(&session, sql).await;
        session.run("begin").await;
        session.expect_error("TN070", &sql).await;
        session.run("rollback").await;
    }
    // A sequence that was granted is read for the login's dump; with the right on everything no grant is meant.
    boss.run(&format!("revoke pg_read_all_data, pg_write_all_data from {bi}")).await;
    let session = db.connect(&bi).await;
    session.run("table doc_numbers; select oid from pg_largeobject_metadata").await;
    session.expect_error("42501", "table numbers").await;
}

#[tokio::test]
async fn by_rights_that_are_borrowed() {
    let (db, _) = stage("held_lent").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    let toast = toast_of(&boss, "docs").await;
    boss.run(&format!(
        "create view long as select * from {toast}; create view objects as select * from pg_largeobject;
         create view numbering as select * from numbers; grant select on long, objects, numbering to public;
         create function longer() returns bigint language sql security definer as 'select count(*) from {toast}'"
    ))
    .await;
    for sql in ["table long", "table objects", "table numbering", "select longer()"] {
        app.refused_inside("TN070", A, sql).await;
    }
    // A superuser at work is one.
    db.superuser_inside(
        A,
        &format!("select * from {toast}; table numbers; table tenant.tenants; select * from pg_statistic"),
    )
    .await;
    // Where side channels are allowed, a sequence is one of them.
    boss.run(&format!(
        "grant select on numbers to {0}; alter role {0} set pg_tenant.side_channels = allow",
        db.roles.app
    ))
    .await;
    db.app().await.inside(A, "table numbers").await;
}

/// As pg_get_sequence_data, which pg_dump asks since 18.
#[tokio::test]
async fn by_a_function() {
    let (db, bi) = stage("held_counted").await;
    let session = db.connect(&bi).await;
    if session.value("select to_regproc('pg_get_sequence_data') is null").await.as_deref() == Some("t") {
        skipped("this PostgreSQL has no pg_get_sequence_data");
        return;
    }
    let read = "select * from pg_get_sequence_data('numbers')";
    session.run(read).await; // the hole
    let told = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().count();
    assert_eq!(told(session.inside(A, read).await), 0);
    let boss = db.superuser().await;
    boss.run(&format!("alter role {bi} set pg_tenant.id = '{A}'")).await;
    assert_eq!(told(db.connect(&bi).await.rows(read).await), 0);
    db.refuse_side_channels().await;
    session.run("discard all").await;
    db.connect(&bi).await.expect_error("TN062", read).await;
    boss.run(&format!("alter role {bi} reset pg_tenant.id")).await;
    db.connect(&bi).await.refused_inside("TN062", A, read).await;
    boss.run(&format!("alter role {bi} set pg_tenant.id = '{A}'")).await;
    boss.run(&format!("revoke pg_read_all_data from {bi}")).await;
    db.connect(&bi).await.run("select * from pg_get_sequence_data('doc_numbers')").await;
}

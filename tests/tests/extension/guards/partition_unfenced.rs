//! No table becomes part of a protected one, or leaves it, without protection of its own: by its own name it would show
//! every tenant's rows.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Install, Session};

/// A protected partitioned table and a protected parent, the owner's, who may not protect. And the same, stock.
async fn stage(name: &str) -> (Database<'static>, Session) {
    let db = shop(name).await;
    let owner = db.owner().await;
    for t in ["events", "stock_events"] {
        owner.run(&format!("create table {t} (tenant_id uuid not null, n int) partition by range (n); create table {t}_base (tenant_id uuid not null, n int)")).await;
    }
    owner
        .run(
            "alter table stock_events enable row level security, force row level security;
             create policy p on stock_events using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)",
        )
        .await;
    db.superuser().await.run("select tenant.protect('events'), tenant.protect('events_base')").await;
    (db, owner)
}

/// Each puts a table `late` below one of the two.
const WAYS: &[&str] = &[
    "create table late partition of {t} for values from (0) to (10)",
    "create table late partition of {t} default",
    "create table if not exists late partition of {t} default",
    "create table late partition of {t} default partition by range (n)",
    "create table late (like {t}); alter table {t} attach partition late for values from (0) to (10)",
    "create table late () inherits ({t}_base)",
    "create table late (more int) inherits ({t}_base)",
    "create table late (tenant_id uuid not null, n int); alter table late inherit {t}_base",
    "do $$ begin execute 'create table late partition of {t} default'; end $$",
    "create table late (tenant_id uuid not null, n int) partition by range (n);
     create table later partition of late default;
     alter table {t} attach partition late for values from (0) to (10)",
];

#[tokio::test]
async fn when_it_comes() {
    let (db, owner) = stage("comes").await;
    let app = db.app().await;
    for way in WAYS {
        // The hole: a new partition has no policy.
        owner.run(&format!("begin; {}", way.replace("{t}", "stock_events"))).await;
        let fenced = "select bool_and(relrowsecurity) from pg_class where relname in ('late', 'later') and relkind in ('r', 'p')";
        assert_eq!(owner.value(fenced).await.as_deref(), Some("f"), "{way}");
        owner.run("rollback").await;

        owner.run(&way.replace("{t}", "events")).await;
        let leaf = if way.contains("later") || !way.contains("partition by") { "late" } else { "" };
        if !leaf.is_empty() {
            app.inside(A, "insert into late (n) values (1)").await;
            app.inside(B, "insert into late (n) values (2)").await;
            assert_eq!(app.inside_value(A, "select count(*) from late").await.as_deref(), Some("1"), "{way}");
            app.refused_inside("42501", A, &format!("insert into late (tenant_id, n) values ('{B}', 3)")).await;
        }
        app.expect_error("TN001", "select * from late").await;
        let listed = "select bool_and(enforced) from tenant.protected_tables where relation = 'late'::regclass";
        assert_eq!(db.admin().await.value(listed).await.as_deref(), Some("t"), "{way}");
        owner.run("drop table late").await;
    }
    let journal = "select count(*) from tenant.journal where action = 'protect_below' and object = 'public.late' and role = session_role";
    assert_eq!(db.admin().await.value(journal).await, Some(WAYS.len().to_string()));
}

#[tokio::test]
async fn when_it_comes_from_a_tenant() {
    let (db, owner) = stage("inside").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    for way in WAYS.iter().filter(|way| !way.contains(';') || way.starts_with("do")) {
        owner.refused_inside("TN032", A, &way.replace("{t}", "events")).await;
    }
    owner.run("create table late (tenant_id uuid not null, n int)").await;
    owner.refused_inside("TN032", A, "alter table late inherit events_base").await;
    owner.refused_inside("TN032", A, "alter table events attach partition late default").await;
    // Any other table that could be filled and left behind.
    for sql in ["create table copy (like orders)", "create table copy (id int)", "create unlogged table copy ()"] {
        owner.refused_inside("TN034", A, sql).await; // TN034
    }
}

#[tokio::test]
async fn when_it_leaves() {
    let (db, owner) = stage("leaves").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    for t in ["events", "stock_events"] {
        owner.run(&format!("create table {t}_1 partition of {t} for values from (0) to (10); create table {t}_2 () inherits ({t}_base)")).await;
    }
    owner.run("alter table stock_events detach partition stock_events_1").await;
    app.run("select * from stock_events_1").await; // the hole: it never had a policy, now it has no parent either
    owner.run("alter table events detach partition events_1; alter table events_2 no inherit events_base").await;
    for table in ["events_1", "events_2"] {
        app.expect_error("TN001", &format!("select * from {table}")).await;
        app.inside(A, &format!("select * from {table}")).await;
    }
    // One that was left open while it belonged is not let go.
    boss.run(
        "set pg_tenant.new_tables = allow;
         create table events_3 partition of events default; create table events_4 () inherits (events_base)",
    )
    .await;
    for sql in [
        "alter table events detach partition events_3",
        "alter table events detach partition events_3 concurrently",
        "alter table events_4 no inherit events_base",
    ] {
        let refused = boss.expect_error("TN030", sql).await;
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.protect(")), "{refused:?}");
    }
    boss.run("select tenant.protect('events'), tenant.protect('events_base')").await;
    boss.run("alter table events detach partition events_3; alter table events_4 no inherit events_base").await;
}

#[tokio::test]
async fn as_the_dba_decides() {
    let (db, _) = stage("decides").await;
    let boss = db.superuser().await;
    let create = "create table late partition of events default";
    boss.run("set pg_tenant.new_tables = refuse").await;
    let refused = boss.expect_error("TN060", create).await; // TN060
    assert!(refused.hint().is_some_and(|hint| hint.contains("then attach it")), "{refused:?}");
    boss.run(
        "create table late (like events); select tenant.protect('late'); alter table events attach partition late default;
         drop table late",
    )
    .await;
    boss.run(&format!("set pg_tenant.new_tables = allow; {create}")).await;
    boss.run(&format!("grant select on late to {}", db.roles.app)).await;
    db.app().await.expect_error("TN012", "select * from late").await;
    boss.run("drop table late; set pg_tenant.new_tables = warn").await;
    boss.notices();
    boss.run(&format!("{create}; create table plain (id int); create temp table mine (tenant_id int)")).await;
    boss.run("create view good with (security_invoker) as select * from orders; create view fine as select 1").await;
    assert_eq!(boss.notices().len(), 0);
    boss.run("grant select on late to public").await;
    db.app().await.expect_error("TN001", "select * from late").await;
    for sql in [
        "create table more (tenant_id uuid)",
        "create table copy (like orders)",
        "create view bad as select * from orders",
    ] {
        boss.run(sql).await;
        let notices = boss.notices();
        assert_eq!(notices.len(), 1, "{sql}: {notices:?}");
        assert_eq!(notices[0].code().code(), "TN060", "{sql}");
    }
    for role in [&db.roles.owner, &db.roles.admin, &db.roles.app] {
        db.connect(role).await.expect_error("42501", "set pg_tenant.new_tables = allow").await;
        for internal in ["tenant_internal.protect_newcomer", "tenant_internal.warn_of_newcomer"] {
            let call = format!("select {internal}('orders', 'orders')");
            db.connect(role).await.expect_error("42501", &call).await;
        }
    }
}

#[tokio::test]
async fn because_it_cannot_have_one() {
    let (db, owner) = stage("cannot").await;
    owner.expect_error("TN020", "create temp table late () inherits (events_base)").await;
    // A foreign partition stays closed under its own name: protect/partition_left_open.rs.
    if Install::current().lacks("file_fdw") {
        return;
    }
    let boss = db.superuser().await;
    boss.run("create extension file_fdw; create server files foreign data wrapper file_fdw").await;
    boss.run("create foreign table late partition of events default server files options (filename '/dev/null')").await;
    boss.run(&format!("grant select on late to {}", db.roles.app)).await;
    db.app().await.expect_error("TN012", "select * from late").await;
    boss.run("drop foreign table late; set pg_tenant.new_tables = refuse").await;
    boss.expect_error(
        "TN060",
        "create foreign table late partition of events default server files options (filename '/dev/null')",
    )
    .await;
}

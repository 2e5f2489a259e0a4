//! A change of a member or a role is in force with every other session's next transaction, whichever way it was made;
//! what was taken back never was.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{as_actor, staged, standing};

#[tokio::test]
async fn on_the_next_transaction() {
    let (db, admin, app) = staged("people_bites").await;
    let other = db.app().await;
    let boss = db.superuser().await;
    let a = |call: &str| call.replace("{a}", A);
    let steps = [
        (a("select tenant.set_member_role('{a}', 'editor', 'viewer')"), "viewer read"),
        (a("begin; select tenant.remove_member('{a}', 'editor'); rollback"), "viewer read"),
        (a("begin; savepoint s; select tenant.remove_member('{a}', 'editor'); rollback to s; commit"), "viewer read"),
        (
            a("begin; savepoint s; select tenant.set_member_role('{a}', 'editor', 'admin'); release s;
               savepoint t; select tenant.remove_member('{a}', 'editor'); rollback to t; commit"),
            "admin read write",
        ),
        (a("select tenant.define_role('admin', 30, '{invoice.read, invoice.purge}')"), "admin read purge"),
        (a("begin; select tenant.define_role('admin', 30); rollback"), "admin read purge"),
        (a("select tenant.deactivate_member('{a}', 'editor')"), "-"),
        (a("select tenant.reactivate_member('{a}', 'editor')"), "admin read purge"),
        (a("select tenant.remove_member('{a}', 'editor')"), "-"),
        (a("select tenant.add_member('{a}', 'editor', 'owner')"), "owner read write purge"),
    ];
    for (change, expected) in steps {
        standing(&other, A, "editor").await;
        admin.run(&change).await;
        for session in [&app, &other, &db.app().await] {
            assert_eq!(standing(session, A, "editor").await, expected, "{change}");
            assert_eq!(standing(session, B, "editor").await, "viewer read", "of another tenant, {change}");
        }
    }
    // Behind the functions: by SQL, as replication applies it, with triggers off for a while, and by TRUNCATE.
    for (change, expected) in [
        (a("update tenant.members set role = 'viewer' where (tenant_id, user_id) = ('{a}', 'editor')"), "viewer read"),
        (
            a("begin; set local session_replication_role = replica;
               update tenant.members set role = 'owner' where (tenant_id, user_id) = ('{a}', 'editor'); commit"),
            "owner read write purge",
        ),
        (
            a("begin; alter table tenant.members disable trigger all;
               update tenant.members set role = 'viewer' where (tenant_id, user_id) = ('{a}', 'editor');
               alter table tenant.members enable trigger all;
               alter table tenant.members enable always trigger members_changed, enable always trigger members_truncated; commit"),
            "viewer read",
        ),
        (a("update tenant.roles set permissions = '{invoice.write}' where role = 'viewer'"), "viewer write"),
        ("truncate tenant.members".to_owned(), "-"),
    ] {
        boss.run(&change).await;
        for session in [&app, &other, &db.app().await] {
            assert_eq!(standing(session, A, "editor").await, expected, "{change}");
        }
    }
}

/// In the transaction that is running, what was entered stands until it ends, and a statement sees no half of a change.
#[tokio::test]
async fn before_the_transaction_has_ended() {
    let (_db, admin, app) = staged("people_running").await;
    app.run(&format!("begin; select tenant.enter('{A}', 'editor')")).await;
    admin.run(&format!("select tenant.remove_member('{A}', 'editor')")).await;
    assert_eq!(app.value("select tenant.can('invoice.write')").await.as_deref(), Some("t"));
    app.run("commit").await;
    assert_eq!(standing(&app, A, "editor").await, "-");
    // A transaction with an old snapshot enters as what is committed now, and leaves nothing old for the next one.
    app.run("begin isolation level repeatable read; select 1").await;
    admin.run(&format!("select tenant.add_member('{A}', 'editor', 'owner')")).await;
    app.run(&format!("select tenant.enter('{A}', 'editor')")).await;
    assert_eq!(app.value("select tenant.current_member_role()").await.as_deref(), Some("owner"));
    app.run("commit").await;
    assert_eq!(standing(&app, A, "editor").await, "owner read write purge");
}

/// In the transaction that makes the change, and where it is taken back in the middle of it.
#[tokio::test]
async fn in_the_transaction_that_makes_it() {
    let (db, _, _) = staged("people_own_change").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_user to {}", db.roles.admin)).await;
    let admin = db.admin().await;
    assert_eq!(standing(&admin, A, "editor").await, "editor read write");
    for undo in ["rollback", "rollback to s; select 1; commit"] {
        let remove = format!("begin; savepoint s; select tenant.remove_member('{A}', 'editor');");
        admin.run(&format!("{remove} select tenant.enter('{A}', 'editor')")).await;
        assert_eq!(admin.value("select tenant.current_member_role()").await, None);
        admin.run(undo).await;
        assert_eq!(standing(&admin, A, "editor").await, "editor read write", "{undo}");
    }
    let known = as_actor(&admin, A, "editor", "select tenant.has_role('viewer')").await;
    assert_eq!(known.as_deref(), Some("t"));
}

/// Of a thousand entries none reads the tables of members and roles, nor do those for nobody.
#[tokio::test]
async fn and_costs_a_query_each_time() {
    use pg_tenant_tests::{Cluster, Options, shop::shop_on};
    let cluster = Cluster::start(Options::default()); // where nobody else changes many tenants at once
    let db = shop_on(&cluster, "people_cost").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    super::fixture::people(&db.admin().await).await;
    let reads = async || {
        boss.run("select pg_stat_clear_snapshot()").await;
        let sql = "select sum(pg_stat_get_numscans(r)) from (select unnest('{tenant.members,tenant.roles,tenant.permissions}'::regclass[])
            union all select indexrelid from pg_index where indrelid = any ('{tenant.members,tenant.roles,tenant.permissions}'::regclass[])) r (r)";
        boss.value(sql).await.expect("a number").parse::<i64>().expect("a number")
    };
    for actor in ["editor", "viewer", "mallory"] {
        standing(&app, A, actor).await;
    }
    app.run("select pg_stat_force_next_flush()").await;
    let before = reads().await;
    for n in 0..300 {
        let actor = ["editor", "viewer", "mallory"][n % 3];
        app.run(&format!("begin; select tenant.enter('{A}', '{actor}'); select tenant.can('invoice.write'); commit"))
            .await;
        app.run(&format!("select tenant.enter('{B}')")).await;
    }
    app.run("select pg_stat_force_next_flush()").await;
    assert_eq!(reads().await - before, 0, "entries read the members");
    // That this count sees a read.
    standing(&app, B, "boss").await;
    app.run("select pg_stat_force_next_flush()").await;
    assert!(reads().await - before > 0);
}

/// Who listens for changes of tenants is not woken by changes of members.
#[tokio::test]
async fn and_wakes_every_directory() {
    let (_db, admin, app) = staged("people_quiet").await;
    app.run("listen tenant_registry").await;
    app.notifications();
    admin.run(&format!("select tenant.set_member_role('{A}', 'editor', 'viewer')")).await;
    app.run("select 1").await;
    assert!(app.notifications().is_empty());
    let both =
        format!("begin; select tenant.set_member_role('{A}', 'editor', 'admin'); select tenant.suspend('{B}'); commit");
    admin.run(&both).await;
    app.run("select 1").await;
    assert_eq!(app.notifications().len(), 1);
}

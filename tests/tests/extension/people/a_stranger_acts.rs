//! Who acts is the actor that the tenant was entered for, as what it is a member; where that is required, nobody else
//! enters.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, B};

use super::fixture::{STANDING, as_actor, staged, standing};

#[tokio::test]
async fn as_what_it_is_no_member() {
    let (_db, admin, app) = staged("people_stranger").await;
    for (tenant, actor, expected) in [
        (A, "owner", "owner read write purge"),
        (A, "editor", "editor read write"),
        (A, "viewer", "viewer read"),
        (B, "editor", "viewer read"),
        (B, "owner", "-"),
        (A, "mallory", "-"),
        (A, "Owner", "-"),
    ] {
        assert_eq!(standing(&app, tenant, actor).await, expected, "{actor} in {tenant}");
    }
    let who = "select concat_ws(' ', tenant.current_id(), tenant.current_actor(), tenant.current_actor_role())";
    assert_eq!(as_actor(&app, A, "viewer", who).await, Some(format!("{A} viewer")));
    // With no actor, with no tenant, and after it.
    assert_eq!(app.inside_value(A, STANDING).await.as_deref(), Some("-"));
    assert_eq!(app.value(STANDING).await.as_deref(), Some("-"));
    admin.run("select tenant.create('7'), tenant.add_member(7, 'owner', 'owner')").await;
    app.run("begin; select tenant.enter(7, 'owner')").await;
    assert_eq!(app.value("select tenant.has_role('owner')").await.as_deref(), Some("t"));
    app.run("commit").await;
    app.run(&format!("begin; select tenant.enter('{A}'::uuid, 'editor')")).await;
    assert_eq!(app.value(STANDING).await.as_deref(), Some("editor read write"));
    app.run("commit").await;
    app.run(&format!("begin; select tenant.enter_pristine('{A}', 'editor')")).await;
    assert_eq!(app.value(STANDING).await.as_deref(), Some("editor read write"));
    app.run("commit").await;
    assert_eq!(app.value(STANDING).await.as_deref(), Some("-"));
    app.run("create temporary table left_behind (); begin").await;
    app.expect_error("TN008", &format!("select tenant.enter_pristine('{A}', 'editor')")).await;
    app.run("rollback").await;
}

#[tokio::test]
async fn as_nobody_or_as_somebody_else() {
    let (db, _, app) = staged("people_seal").await;
    for actor in ["null", "''", "e'a\\nb'", "repeat('x', 256)"] {
        let refused = app.expect_error("TN141", &format!("select tenant.enter('{A}', {actor})")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    app.expect_error("TN004", "select tenant.enter(null::text, 'owner')").await;
    app.expect_error("TN002", "select tenant.enter('nobody', 'owner')").await;
    let enter = |actor: &str| format!("select tenant.enter('{A}', '{actor}')");
    for (code, then) in [
        ("TN099", enter("owner")),
        ("TN005", format!("select tenant.enter('{B}', 'viewer')")),
        ("TN014", "select tenant.enter_system('all')".into()),
    ] {
        for undo in ["", "savepoint s;", "savepoint s; rollback to s;"] {
            app.run(&format!("begin; {}; {undo}", enter("viewer"))).await;
            if then.contains("system") {
                assert!(app.batch_execute(&then).await.is_err());
            } else {
                app.expect_error(code, &then).await;
            }
            app.run("rollback").await;
        }
    }
    // The same again is the same; and an entry that a savepoint has undone is for the same actor still.
    app.run(&format!("begin; savepoint s; {0}; {0}; select tenant.enter('{A}'); rollback to s", enter("viewer"))).await;
    assert_eq!(app.value(STANDING).await.as_deref(), Some("-"));
    app.expect_error("TN099", &format!("select tenant.enter('{A}')")).await;
    app.run(&format!("rollback to s; {}", enter("viewer"))).await;
    assert_eq!(app.value(STANDING).await.as_deref(), Some("viewer read"));
    app.run("rollback").await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    app.expect_error("TN099", &enter("owner")).await;
    app.run("rollback").await;
    // The session does not say as what it acts.
    for say in [
        "set pg_tenant.actor = 'owner'",
        "set local pg_tenant.id to default",
        "select set_config('pg_tenant.id', tenant.current_id() || chr(31) || '90 ff owner' || chr(31) || 'owner', true)",
        "reset pg_tenant.id",
        "set pg_tenant.require_member = off",
        "set pg_tenant.token_role = 'at_least'",
    ] {
        app.run(&format!("begin; {}", enter("viewer"))).await;
        app.expect_error("42501", say).await;
        app.run("rollback").await;
    }
    // Nor does a superuser, whose word would have passed no registry.
    let boss = db.superuser().await;
    boss.expect_error(
        "22023",
        &format!("select set_config('pg_tenant.id', '{A}' || chr(31) || '90 ff owner' || chr(31), false)"),
    )
    .await;
    boss.expect_error(
        "22023",
        &format!("alter role {} set pg_tenant.id = e'{A}\\x1f90 ff owner\\x1fann'", db.roles.app),
    )
    .await;
    // What is shown is the tenant, and the actor.
    app.run(&format!("begin; {}", enter("viewer"))).await;
    let shown = "select concat_ws(' ', current_setting('pg_tenant.id'), current_setting('pg_tenant.actor'), current_setting('pg_tenant.actor_role'),
        (select setting from pg_settings where name = 'pg_tenant.actor'))";
    assert_eq!(app.value(shown).await, Some(format!("{A} viewer  viewer")));
    app.run("savepoint s; rollback to s").await;
    assert_eq!(app.value(shown).await, Some(format!("{A} viewer  viewer")));
    app.run("commit").await;
    assert_eq!(
        app.value("select current_setting('pg_tenant.id') || current_setting('pg_tenant.actor')").await.as_deref(),
        Some("")
    );
}

/// Where it is required, by whichever way in.
#[tokio::test]
async fn where_members_only_enter() {
    let (db, admin, app) = staged("people_required").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"), "not required yet");
    admin.run(&format!("select tenant.deactivate_member('{A}', 'admin', 'on leave')")).await;
    let boss = db.superuser().await;
    boss.run(&format!("alter role {} set pg_tenant.require_member = on", db.roles.app)).await;
    boss.run(&format!(
        "insert into tenant.members (tenant_id, user_id, role) values ('{A}', 'odd', 'a role that is none')"
    ))
    .await;
    let app = db.app().await;
    for (entry, why) in [
        (format!("tenant.enter('{A}')"), "No actor is named."),
        (format!("tenant.enter_pristine('{A}')"), "No actor is named."),
        (format!("tenant.enter('{A}', 'mallory')"), "Actor \"mallory\" is no member."),
        (format!("tenant.enter('{B}', 'viewer')"), "Actor \"viewer\" is no member."),
        (format!("tenant.enter('{A}', 'admin')"), "Actor \"admin\" is deactivated."),
        (
            format!("tenant.enter('{A}', 'odd')"),
            "Actor \"odd\" is a member in role \"a role that is none\", which does not exist.",
        ),
    ] {
        let refused = app.expect_error("TN140", &format!("select {entry}")).await;
        assert_eq!(refused.detail(), Some(why));
        assert!(refused.hint().is_some());
        app.expect_error("TN001", "table orders").await;
    }
    assert_eq!(as_actor(&app, A, "viewer", "select count(*) from orders").await.as_deref(), Some("3"));
    app.run(&format!("begin; select tenant.enter('{A}', 'viewer'); select tenant.enter('{A}'); commit")).await;
}

/// A login that lives in the tenant names its actor for the transaction, and cannot do without where that is required.
#[tokio::test]
async fn in_a_session_that_is_bound() {
    let (db, admin, _) = staged("people_bound").await;
    let (bound, boss) = (format!("regress_{}_bound", db.name), db.superuser().await);
    boss.run(&format!("create role {bound} login; grant tenant_user to {bound}; grant select on orders to {bound}"))
        .await;
    admin.run(&format!("select tenant.bind_role('{bound}', '{A}')")).await;
    let login = db.connect(&bound).await;
    assert_eq!(login.value("select count(*) from orders").await.as_deref(), Some("3"));
    assert_eq!(standing(&login, A, "editor").await, "editor read write");
    assert_eq!(login.value(STANDING).await.as_deref(), Some("-"), "no longer than the transaction");
    login.expect_error("TN006", &format!("select tenant.enter('{B}', 'boss')")).await;
    boss.run(&format!("alter role {bound} set pg_tenant.require_member = on")).await;
    let login = db.connect(&bound).await;
    login.expect_error("TN140", "select count(*) from orders").await;
    login.expect_error("TN140", &format!("select tenant.enter('{A}')")).await;
    assert_eq!(as_actor(&login, A, "viewer", "select count(*) from orders").await.as_deref(), Some("3"));
    login.expect_error("TN140", "select count(*) from orders").await;
}

/// A worker knows what its leader does.
#[tokio::test]
async fn in_a_parallel_worker() {
    let (db, _, app) = staged("people_worker").await;
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    app.run(&format!(
        "begin; set local {force} = on; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;
         set local min_parallel_table_scan_size = 0; select tenant.enter('{A}', 'editor')"
    ))
    .await;
    let plan =
        "select count(*) filter (where tenant.can(case id when 1 then 'invoice.write' else 'invoice.purge' end)) || ' '
        || count(*) filter (where tenant.has_role('viewer')) || ' ' || min(tenant.current_member_role()) from orders";
    assert_eq!(app.value(plan).await.as_deref(), Some("1 3 editor"));
    app.run("rollback").await;
    let _ = db;
}

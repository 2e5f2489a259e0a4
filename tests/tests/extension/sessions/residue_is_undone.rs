//! What a rolled-back transaction has left of a LISTEN, a cursor WITH HOLD, a setting or a temporary object: nothing,
//! so that the connection can be lent. What PostgreSQL does not undo is residue still.

use super::residue_is_lent::{RESIDUE, lend};
use pg_tenant_tests::shop::{A, B, shop};

/// What PostgreSQL undoes with its transaction or savepoint is no residue, what it does not undo is.
#[tokio::test]
async fn though_its_transaction_is_rolled_back() {
    let db = shop("residue_undone").await;
    let leave = "create function leave_setting() returns text language sql as
        $$ select set_config('work_mem', '1MB', false) $$";
    db.owner().await.run(leave).await;
    for (leave, name) in RESIDUE.iter().filter(|(leave, _)| !leave.starts_with("prepare")) {
        let app = db.app().await;
        let sql = leave.replace("{app}", &db.roles.app);
        for undone in [
            format!("begin; {sql}; rollback"),
            format!("begin; {sql}; select 1 / 0"),
            format!("begin; savepoint s; {sql}; rollback to s; commit"),
            format!("begin; savepoint s; savepoint t; {sql}; release t; rollback to s; commit"),
            format!("begin; savepoint s; release s; savepoint t; {sql}; rollback to t; commit"),
            format!(
                "do $do$ begin execute $q${sql}$q$; raise division_by_zero; exception when division_by_zero then end $do$"
            ),
        ] {
            let _ = app.batch_execute(&undone).await;
            app.run("rollback").await;
            assert_eq!(lend(&app, B).await, Ok(None), "{undone}");
        }
        if ["TimeZone", "DateStyle"].iter().any(|handed_on| name.contains(handed_on)) {
            continue; // set with no tenant, these are no residue
        }
        let stays = |said: Result<Option<String>, String>| said.unwrap().is_some_and(|said| said.contains(name));
        for kept in [
            sql.clone(),
            format!("begin; savepoint s; {sql}; release s; commit"),
            format!("begin; savepoint s; savepoint t; {sql}; release t; release s; savepoint u; rollback to u; commit"),
            format!("do $do$ begin begin execute $q${sql}$q$; exception when division_by_zero then end; end $do$"),
        ] {
            app.run(&kept).await;
            assert!(stays(lend(&app, B).await), "{kept}");
            // The rollback of another transaction takes nothing away that was there before.
            app.run("begin; savepoint s; rollback to s; rollback").await;
            assert!(stays(lend(&app, B).await), "{kept}, then a rollback");
            app.run("discard all").await;
            assert_eq!(lend(&app, B).await, Ok(None), "{kept}, then discard all");
        }
    }
}

#[tokio::test]
async fn though_it_is_closed() {
    let db = shop("residue_closed").await;
    let app = db.app().await;
    for closed in [
        "declare c cursor with hold for select 1; close c",
        "declare c cursor with hold for select 1; close all",
        "prepare p as select 1; deallocate p",
        "prepare p as select 1; deallocate all",
        "listen c; unlisten *",
        "begin; savepoint s; listen c; release s; unlisten *; commit",
        // What asyncpg's pool does to a connection that comes back.
        "declare c cursor with hold for select 1; listen c; select pg_advisory_unlock_all(); close all; unlisten *; reset all",
    ] {
        app.run(closed).await;
        assert_eq!(lend(&app, A).await, Ok(None), "{closed}");
    }
    app.expect_error("42703", "prepare p as select nothing").await;
    assert_eq!(lend(&app, A).await, Ok(None), "nothing was prepared");
    // One of several, under a name that was another's.
    app.run("declare a cursor with hold for select 1; declare b cursor with hold for select 1; close a").await;
    app.run("prepare b as select 1; deallocate b").await;
    assert!(lend(&app, A).await.unwrap().is_some_and(|said| said.contains("WITH HOLD")));
    app.run("close b; begin; declare b cursor for select 1; commit").await;
    assert_eq!(lend(&app, A).await, Ok(None));
    // One that is undone, or closed, is not filled with the tenant's rows.
    for undone in [
        "savepoint s; declare c cursor with hold for select 1; rollback to s",
        "declare c cursor with hold for select 1; close c",
    ] {
        app.run(&format!("begin; {undone}; select tenant.enter('{A}'); commit")).await;
    }
}

/// What ROLLBACK leaves.
#[tokio::test]
async fn since_rollback_leaves_it() {
    let db = shop("residue_stays").await;
    db.owner()
        .await
        .run(
            "create table parents (id int primary key);
             create table children (id int references parents deferrable initially deferred);
             create function orphan() returns int language sql as 'insert into children values (1) returning id';
             grant all on children to public",
        )
        .await;
    let app = db.app().await;
    app.run("begin; prepare p as select 1; rollback").await;
    assert!(lend(&app, B).await.unwrap().is_some_and(|said| said.contains("PREPARE")));
    app.run("deallocate p; begin; savepoint s; prepare p as select 1; rollback to s; commit").await;
    assert!(lend(&app, B).await.unwrap().is_some_and(|said| said.contains("PREPARE")));
    app.run("discard all").await;

    // Session locks: they are let go of instead.
    let held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    app.run("begin; select pg_advisory_lock(7); rollback").await;
    assert_eq!(app.value(held).await.as_deref(), Some("1"));
    assert_eq!(lend(&app, B).await, Ok(None));
    assert_eq!(app.value(held).await.as_deref(), Some("0"));

    // COMMIT fills the cursor and fails after that: PostgreSQL keeps the cursor, with rows that were never committed.
    app.expect_error("23503", "begin; declare c cursor with hold for select orphan(); commit").await;
    app.run("rollback").await;
    assert_eq!(app.value("select count(*) from pg_cursors").await.as_deref(), Some("1"));
    assert!(lend(&app, B).await.unwrap().is_some_and(|said| said.contains("WITH HOLD")));
    app.run("close c").await;
    assert_eq!(lend(&app, B).await, Ok(None));

    // What there was before is not undone, nor does a second one that is undone take it along.
    for (make, undone) in [
        ("listen c", "listen c"),
        ("listen c", "listen d"),
        ("listen c", "unlisten *"),
        ("listen c; listen d", "unlisten c"),
        ("begin; unlisten *; listen c; commit", "unlisten *"),
        ("declare c cursor with hold for select 1", "declare d cursor with hold for select 1"),
    ] {
        app.run(make).await;
        app.run(&format!("begin; {undone}; rollback; begin; savepoint s; {undone}; rollback to s; commit")).await;
        assert!(matches!(lend(&app, B).await, Ok(Some(_))), "{make}, then {undone} undone");
        app.run("discard all").await;
    }
    // In the transaction that makes it, it counts: its commit keeps it.
    app.expect_error("TN008", &format!("begin; listen c; select tenant.enter_pristine('{A}')")).await;
    app.run("rollback").await;
    assert_eq!(lend(&app, B).await, Ok(None));
    let rolled_back =
        format!("begin; savepoint s; listen c; rollback to s; select tenant.enter_pristine('{A}'); commit");
    app.run(&rolled_back).await;
}

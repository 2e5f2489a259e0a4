//! A channel that all tenants share wakes a worker, where an administrator has declared it, and carries nothing of what
//! a tenant writes: nothing, or the id of the tenant.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// A table whose triggers wake a worker in each of the ways that applications do, and who listens.
async fn jobs(name: &str) -> (Database<'static>, Session) {
    let db = shop(name).await;
    db.owner()
        .await
        .run(
            "create table jobs (tenant_id uuid, id int, secret text);
             create function wake() returns trigger language plpgsql as
                $$ begin perform pg_notify('jobs', new.id::text || new.secret); return null; end $$;
             create function wake_by_command() returns trigger language plpgsql as
                $$ begin notify by_command; return null; end $$;
             create trigger wake after insert on jobs for each row execute function wake();
             create trigger wake_by_command after insert on jobs for each statement execute function wake_by_command()",
        )
        .await;
    db.superuser().await.run("select tenant.protect('jobs')").await;
    let worker = db.connect(&db.roles.bystander).await;
    worker.run("listen jobs; listen by_command").await;
    (db, worker)
}

async fn heard(worker: &Session) -> Vec<(String, String)> {
    worker.run("select 1").await;
    worker.notifications().into_iter().map(|told| (told.channel().to_owned(), told.payload().to_owned())).collect()
}

fn pair(channel: &str, payload: &str) -> (String, String) {
    (channel.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn and_wakes_a_worker() {
    let (db, worker) = jobs("channel_declared").await;
    let (app, admin) = (db.app().await, db.admin().await);
    let insert = |id: u32| format!("insert into jobs (id, secret) values ({id}, 'of a')");
    // The hole where nobody judges: the row's words are heard by whoever listens.
    let words = "set local pg_tenant.guards = off; select pg_notify('jobs', 'words')";
    db.superuser().await.run(&format!("begin; select tenant.enter('{A}'); {words}; commit")).await;
    assert_eq!(heard(&worker).await, [pair("jobs", "words")]);
    app.refused_inside("TN063", A, &insert(1)).await; // TN063: as before
    admin
        .run("select tenant.allow_channel('jobs', 'wakes the worker'), tenant.allow_channel('by_command', 'likewise')")
        .await;
    app.inside(A, &insert(2)).await;
    assert_eq!(heard(&worker).await, [pair("jobs", ""), pair("by_command", "")]);
    // In plans that are kept, for whoever runs them; with the tenant's id where that is declared.
    admin.run("select tenant.allow_channel('jobs', 'says whose', payload => 'tenant')").await;
    for tenant in [A, B, A] {
        app.inside(tenant, &insert(3)).await;
        assert_eq!(heard(&worker).await, [pair("jobs", tenant), pair("by_command", "")]);
    }
    for sql in [
        "select pg_notify('jobs', 'free text')",
        "do $$ begin perform pg_notify('jobs', 'free text'); end $$",
        "select pg_notify(c, 'x') from (values ('jobs')) v (c)",
    ] {
        app.inside(B, sql).await;
        assert_eq!(heard(&worker).await, [pair("jobs", B)], "{sql}");
    }
    // A command's words are its own, so there must be none.
    let refused = app.refused_inside("TN063", A, "notify jobs, 'free text'").await;
    assert!(refused.hint().is_some_and(|hint| hint.contains("pg_notify()")), "{refused:?}");
    // With no tenant, and of no channel that is not declared, nothing is another than it was.
    app.run("select pg_notify('jobs', 'with no tenant')").await;
    assert_eq!(heard(&worker).await, [pair("jobs", "with no tenant")]);
    let refused = app.refused_inside("TN063", A, "select pg_notify('jobs2', '')").await;
    assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.allow_channel")), "{refused:?}");
    app.refused_inside("22023", A, "select pg_notify(null, 'x')").await;
    // It is taken back, for sessions that are there too.
    admin.run("select tenant.disallow_channel('jobs', 'the worker polls')").await;
    app.refused_inside("TN063", A, &insert(4)).await;
    let lines = "select string_agg(action || ' ' || object, ', ' order by id) from tenant.journal where action like '%allow_channel'";
    assert_eq!(
        admin.value(lines).await.as_deref(),
        Some("allow_channel jobs, allow_channel by_command, allow_channel jobs, disallow_channel jobs")
    );
}

#[tokio::test]
async fn by_an_administrator_alone() {
    let (db, worker) = jobs("channel_admin").await;
    let (app, admin) = (db.app().await, db.admin().await);
    app.expect_error("42501", "select tenant.allow_channel('jobs', 'x')").await;
    app.expect_error("42501", "select tenant_internal.channel_changed()").await;
    app.expect_error("42501", "insert into tenant.channels (channel, reason) values ('jobs', 'x')").await;
    app.refused_inside("42501", A, "select tenant.allow_channel('jobs', 'x')").await;
    admin.expect_error("TN029", "select tenant.allow_channel('jobs', ' ')").await; // TN029
    admin.expect_error("TN029", "insert into tenant.channels (channel, reason) values ('jobs', '')").await;
    admin.expect_error("22023", "select tenant.allow_channel('jobs', 'x', payload => 'anything')").await;
    admin.expect_error("23514", "select tenant.allow_channel('', 'x')").await;
    admin.expect_error("TN028", "select tenant.disallow_channel('jobs', 'x')").await; // TN028
    // A tenant's own channel needs no declaration, by the function too, with its own words; another tenant's has none.
    let own = app.inside_value(A, "select tenant.channel('news')").await.unwrap();
    worker.run(&format!("listen {own}")).await;
    app.inside(A, &format!("select pg_notify('{own}', 'own words')")).await;
    app.refused_inside("TN063", B, &format!("select pg_notify('{own}', 'of b')")).await;
    assert_eq!(heard(&worker).await, [pair(&own, "own words")]);
}

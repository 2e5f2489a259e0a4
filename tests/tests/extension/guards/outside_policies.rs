//! A tenant's transaction reaches what no policy covers: large objects, the server's files, sequences and sessions of
//! all, names that all share. By a function in a statement, or by the fast-path protocol, which names a function alone.

use pg_tenant_tests::shop::{A, B, shop};

/// Functions that are refused, and who may call them on stock PostgreSQL.
const REACH: &[(bool, &str)] = &[
    (false, "select lo_create(0)"),
    (false, "select lo_creat(-1)"),
    (false, "select lo_from_bytea(0, 'secret')"),
    (false, "select lo_get({lo})"),
    (false, "select loread(lo_open({lo}, x'40000'::int), 10)"),
    (false, "select lo_put({lo}, 0, 'x')"),
    (false, "select lo_unlink({lo})"),
    (false, "do $$ begin perform lo_get({lo}); end $$"),
    (false, "select lo_get(oid) from pg_largeobject_metadata"),
    (false, "select setval('numbers', 1)"),
    (false, "select currtid2('orders', '(0,1)')"),
    (false, "select pg_cancel_backend(0)"),
    (false, "select pg_terminate_backend(0)"),
    (true, "select pg_read_file('PG_VERSION')"),
    (true, "select pg_read_binary_file('PG_VERSION')"),
    (true, "select pg_ls_dir('base')"),
    (true, "select pg_stat_reset()"),
    (true, "select * from pg_logical_slot_peek_changes('none', null, null)"),
    (true, "select pg_drop_replication_slot('none')"),
    (true, "select pg_create_physical_replication_slot('none')"),
    (true, "select pg_copy_physical_replication_slot('none', 'other')"),
];

#[tokio::test]
async fn by_a_function() {
    let db = shop("reach").await;
    let (owner, app, boss) = (db.owner().await, db.app().await, db.superuser().await);
    owner.run(&format!("create sequence numbers; grant all on sequence numbers to {}", db.roles.app)).await;
    let lo = app.value("select lo_from_bytea(0, 'of a')").await.expect("a large object");
    // The hole: no policy, and every tenant's session is the same role's.
    app.run(&format!("begin; set local app.tenant = '{B}'")).await;
    assert_eq!(app.value(&format!("select convert_from(lo_get({lo}), 'UTF8')")).await.as_deref(), Some("of a"));
    app.run("rollback").await;
    for (superuser, sql) in REACH {
        let sql = sql.replace("{lo}", &lo);
        let session = if *superuser { &boss } else { &app };
        let stock = sql.replace("'orders'", "'stock_orders'");
        if !stock.contains("_slot") {
            session.run(&format!("begin; {stock}; rollback")).await;
        }
        let refused = session.refused_inside("TN064", A, &sql).await; // TN064
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    #[rustfmt::skip]
    let of_18 = "select pg_clear_relation_stats('public', 'orders'); select pg_restore_relation_stats('schemaname', 'public', 'relname', 'orders')";
    if boss.value("select current_setting('server_version_num')::int >= 180000").await.as_deref() == Some("t") {
        for sql in of_18.split("; ") {
            boss.refused_inside("TN064", A, sql).await;
        }
    }
    boss.inside(A, "set local pg_tenant.guards = off; select pg_stat_file('PG_VERSION')").await;
}

#[tokio::test]
async fn by_a_file_of_the_server() {
    let db = shop("files").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    boss.run(&format!("grant pg_execute_server_program, pg_write_server_files to {}", db.roles.app)).await;
    for copy in ["copy (select 1) to program 'cat > /dev/null'", "copy (select 1) to '/dev/null'"] {
        app.run(copy).await; // the hole: and from there to whoever reads it
        let refused = app.refused_inside("TN067", A, copy).await; // TN067
        assert!(refused.hint().is_some_and(|hint| hint.contains("stdout")), "{refused:?}");
    }
}

#[tokio::test]
async fn by_a_lock_that_all_share() {
    let db = shop("advisory").await;
    let (app, other) = (db.app().await, db.app().await);
    // The hole: one tenant's key is the other's.
    app.run(&format!("begin; set local app.tenant = '{A}'; select pg_advisory_xact_lock(7)")).await;
    other.run(&format!("begin; set local app.tenant = '{B}'")).await;
    assert_eq!(other.value("select pg_try_advisory_xact_lock(7)").await.as_deref(), Some("f"));
    app.run("rollback").await;
    other.run("rollback").await;

    for lock in ["pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock", "pg_try_advisory_xact_lock"] {
        for sql in [format!("select {lock}(7)"), format!("select {lock}(7, 7)"), format!("select {lock}_shared(7)")] {
            let refused = app.refused_inside("TN063", A, &sql).await; // TN063
            assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.advisory_lock")), "{refused:?}");
            app.run(&format!("begin; {sql}; rollback")).await; // with no tenant: migrations lock so
        }
    }
    // The way that the hint names: the same word, another lock for each tenant, gone with the transaction.
    app.run(&format!("begin; select tenant.enter('{A}'); select tenant.advisory_lock('nightly')")).await;
    let attempt = "select tenant.try_advisory_lock('nightly')";
    assert_eq!(other.inside_value(B, attempt).await.as_deref(), Some("t"));
    assert_eq!(other.inside_value(A, attempt).await.as_deref(), Some("f"));
    assert_eq!(other.inside_value(A, "select tenant.try_advisory_lock('weekly')").await.as_deref(), Some("t"));
    app.run("rollback").await;
    app.refused_inside("TN063", A, "select tenant.advisory_lock('x'); select pg_advisory_lock(1)").await; // guards are back
    assert_eq!(other.inside_value(A, attempt).await.as_deref(), Some("t"));
    app.expect_error("TN001", attempt).await;
    app.expect_error("TN001", "select tenant.advisory_lock('nightly')").await;
    db.bystander().await.expect_error("42501", attempt).await;
    app.refused_inside("42501", A, "select tenant_internal.lock_key('nightly')").await;
}

#[tokio::test]
async fn by_a_channel_that_all_share() {
    let db = shop("channels").await;
    let app = db.app().await;
    app.run(&format!("begin; set local app.tenant = '{A}'; notify news, 'of a'; commit")).await; // the hole: whoever listens
    for sql in ["notify news, 'of a'", "select pg_notify('news', 'of a')", "do $$ begin notify news; end $$"] {
        let refused = app.refused_inside("TN063", A, sql).await; // TN063
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.notify")), "{refused:?}");
    }
    app.refused_inside("TN036", A, "listen news").await; // TN036: it would hear the next tenants as well
    app.inside(A, "select tenant.notify('news', 'of a'); unlisten *").await;
    app.expect_error("TN001", "select tenant.notify('news', 'of nobody')").await;
    let channels = "select tenant.channel('news', 'a') = tenant.channel('news', 'b'), tenant.channel('news') is null";
    assert_eq!(app.rows(channels).await, [[Some("f".to_owned()), Some("t".to_owned())]]);
    let own = format!("select tenant.channel('news') = tenant.channel('news', '{A}')");
    assert_eq!(app.inside_value(A, &own).await.as_deref(), Some("t"));
    app.refused_inside("TN063", A, &format!("select tenant.channel('news', '{B}')")).await; // another tenant's
}

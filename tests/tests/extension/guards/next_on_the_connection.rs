//! One connection, two tenants in turn, entered with plain `tenant.enter`: what the first leaves, the second finds.
//! (What `tenant.enter_pristine` refuses besides: `sessions/residue_is_lent.rs`.)

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn finds_a_temporary_object() {
    let db = shop("temporary").await;
    let app = db.app().await;
    // The hole: the second tenant's own statement reads the first one's copy.
    app.run(&format!(
        "begin; set local app.tenant = '{A}'; create temp table stock_orders as table stock_orders; commit"
    ))
    .await;
    let seen = format!("begin; set local app.tenant = '{B}'; select min(note) from stock_orders; commit");
    assert_eq!(app.value(&seen).await.as_deref(), Some("note 1"));
    app.run("discard all").await;

    for leave in [
        "create temp table t as select * from orders",
        "select * into temp t from orders",
        "create temp table t (id int)",
        "create temp table t (id int) on commit delete rows",
        "create temp table t (like orders) on commit preserve rows",
        "create table pg_temp.t (id int)",
        "create temp view orders as select 1 as id",
        "create temp sequence s",
        "create sequence pg_temp.s",
        "create domain pg_temp.uuid as text check (length(value) > 0)",
        "create type pg_temp.note as enum ('a')",
        "create type pg_temp.note as (a int)",
        "create type pg_temp.span as range (subtype = int)",
        "set local search_path = pg_temp, public; create table t (id int)",
        "set local search_path = pg_temp, public; create domain note as text",
        "do $$ begin create temp table t (id int); end $$",
    ] {
        let refused = app.refused_inside("TN036", A, leave).await; // TN036
        // A range type brings a cast, which is refused for itself.
        let hint = refused.hint().unwrap_or_default();
        assert!(hint.contains("on commit drop") || leave.contains("range"), "{leave}: {refused:?}");
    }
    let count = "select count(*) from pg_class where relnamespace = pg_my_temp_schema()";
    assert_eq!(app.value(count).await.as_deref(), Some("0"));
    // The neighbours: what ends with the transaction, what another session makes, a session of one tenant for good.
    app.inside(A, "create temp table t (id serial, note text) on commit drop; insert into t (note) select note from orders; create view v as select * from t").await;
    app.inside(B, "create temp table t on commit drop as select * from orders; table t").await;
    app.run("create temp table t (id int); drop table t").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    db.app().await.run("create temp table t as select * from orders; create temp view v as table t; table v").await;
}

#[tokio::test]
async fn finds_a_table_in_front_of_another() {
    let db = shop("shadow").await;
    // A transaction's own, or that of a bound session; what was there before the tenant, enter refuses
    // (stands_in_front).
    let app = db.app().await;
    let table = "create temp table orders (tenant_id uuid, id int, note text) on commit drop";
    for sql in
        ["select * from orders", "insert into orders (id) values (9)", "delete from orders", "table pg_temp.orders"]
    {
        let refused = app.refused_inside("TN066", B, &format!("{table}; {sql}")).await; // TN066
        assert!(refused.hint().is_some_and(|hint| hint.contains("public.orders")), "{refused:?}");
    }
    let beside = format!("{table}; select count(*) from public.orders");
    assert_eq!(app.inside_value(B, &beside).await.as_deref(), Some("2"));
    app.run("create temp table free (id int)").await;
    app.inside(B, "insert into free values (1); select * from free").await;

    db.admin().await.run(&format!("select tenant.bind_role('{}', '{B}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.run("create temp view orders as select 1 as id").await;
    bound.expect_error("TN066", "select * from orders").await;
    bound.run("drop view orders").await;
    assert_eq!(bound.value("select count(*) from orders").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn finds_a_prepared_statement() {
    let db = shop("statements").await;
    let app = db.app().await;
    let texts = "select count(*) from pg_prepared_statements where statement ~ 'note 1'";
    let prepare = "prepare mine as select * from orders where note = 'note 1'";
    // The hole: the next tenant reads the last one's literals.
    app.run(&format!("begin; set local app.tenant = '{A}'; {}; commit", prepare.replace("orders", "stock_orders")))
        .await;
    let stock = format!("begin; set local app.tenant = '{B}'; {texts}; commit");
    assert_eq!(app.value(&stock).await.as_deref(), Some("1"));
    app.run("deallocate all").await;

    app.inside(A, prepare).await;
    assert_eq!(app.inside_value(A, texts).await.as_deref(), Some("1"), "one's own");
    let asked = [
        texts,
        "select name from pg_prepared_statements",
        "select pg_prepared_statement()",
        "select count(*) from pg_prepared_statements",
    ];
    for sql in [texts, asked[3]] {
        assert_eq!(app.inside_value(B, sql).await.as_deref(), Some("0"), "{sql}");
    }
    assert!(app.inside(B, asked[1]).await.is_empty());
    app.refused_inside("TN062", B, asked[2]).await;
    let refuses = |mode| format!("alter database {} set pg_tenant.side_channels = {mode}", db.name);
    db.superuser().await.run(&refuses("refuse")).await;
    let refusing = db.app().await;
    refusing.inside(A, prepare).await;
    for sql in asked {
        let refused = refusing.refused_inside("TN062", B, sql).await; // TN062
        assert!(refused.hint().is_some(), "{refused:?}");
    }
    refusing.refused_inside("TN062", A, texts).await;
    db.superuser().await.run(&refuses("hide")).await;
    assert_eq!(app.value(texts).await.as_deref(), Some("1"), "with no tenant");
    app.run("discard all").await;
    assert_eq!(app.inside_value(B, texts).await.as_deref(), Some("0"), "after DISCARD ALL");
    app.inside(B, "select * from pg_cursors").await;
    // A bound session has only ever been one tenant's.
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.run(prepare).await;
    assert_eq!(bound.value(texts).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn finds_the_last_number_of_a_sequence() {
    let db = shop("numbers").await;
    db.owner().await.run("create table tickets (id serial); grant all on tickets to public").await;
    let app = db.app().await;
    let take = "insert into tickets default values";
    // The hole.
    app.run(&format!("begin; set local app.tenant = '{A}'; {take}; commit")).await;
    assert_eq!(
        app.value(&format!("begin; set local app.tenant = '{B}'; select lastval(); commit")).await.as_deref(),
        Some("1")
    );
    app.run("discard sequences").await;

    assert_eq!(app.inside_value(A, &format!("{take}; select lastval()")).await.as_deref(), Some("2"));
    assert_eq!(app.inside_value(A, "select lastval()").await.as_deref(), Some("2"), "one's own");
    app.refused_inside("55000", B, "select lastval()").await;
    app.refused_inside("55000", B, "select currval('tickets_id_seq')").await;
    assert_eq!(app.inside_value(B, &format!("{take}; select currval('tickets_id_seq')")).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn knows_what_random_gives() {
    let db = shop("random").await;
    let app = db.app().await;
    let five = "select string_agg(random()::text, ',') from generate_series(1, 5)";
    // The hole: who sets the seed, or has seen enough numbers, knows the next tenant's.
    let stock = |tenant: &str, sql: &str| format!("begin; set local app.tenant = '{tenant}'; {sql}; commit");
    app.run(&stock(A, "select setseed(0.5)")).await;
    let known = app.value(&stock(B, five)).await;
    app.run(&stock(A, "select setseed(0.5)")).await;
    assert_eq!(app.value(&stock(B, five)).await, known);

    for seed in ["select setseed(0.5)", "do $$ begin perform setseed(0.5); end $$"] {
        app.inside(A, seed).await;
        assert_ne!(app.inside_value(B, five).await, known, "{seed}");
    }
    app.run("select setseed(0.5)").await;
    assert_ne!(app.inside_value(A, five).await, known, "set with no tenant");
    app.run(&format!("begin; declare c cursor for select setseed(0.5); select tenant.enter('{A}'); fetch c; commit"))
        .await;
    assert_ne!(app.inside_value(B, five).await, known, "by a cursor");
    // One's own numbers can be repeated.
    app.inside(A, "select setseed(0.5)").await;
    assert_eq!(app.inside_value(A, five).await, known);
}

#[tokio::test]
async fn finds_a_cursor_half_read() {
    let db = shop("portals").await;
    let app = db.app().await;
    // A portal that the protocol has suspended, and a cursor: both end with their transaction.
    app.run(&format!("begin; select tenant.enter('{A}'); declare c cursor for select note from orders")).await;
    assert_eq!(app.value("fetch 1 from c").await.as_deref(), Some("note 1"));
    app.run(&format!("commit; begin; select tenant.enter('{B}')")).await;
    app.expect_error("34000", "fetch 1 from c").await;
    app.run("rollback").await;

    let mut client = pg_tenant_tests::Session::connect(&db.config(&db.roles.app)).await.into_client();
    let transaction = client.transaction().await.expect("begin");
    transaction.batch_execute(&format!("select tenant.enter('{A}')")).await.expect("enter");
    let portal = transaction.bind("select note from orders order by id", &[]).await.expect("bind");
    assert_eq!(transaction.query_portal(&portal, 1).await.expect("a row").len(), 1);
    transaction.commit().await.expect("commit");
    let transaction = client.transaction().await.expect("begin");
    transaction.batch_execute(&format!("select tenant.enter('{B}')")).await.expect("enter");
    let gone = transaction.query_portal(&portal, 1).await.expect_err("the portal has ended");
    assert_eq!(gone.code().map(|code| code.code()), Some("34000"));
}

#[tokio::test]
async fn finds_another_role() {
    let db = shop("roles").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    boss.run(&format!(
        "grant {}, {} to {}; grant select on orders to {1}",
        db.roles.bystander, db.roles.backup, db.roles.app
    ))
    .await;
    // SET ROLE inside a tenant: the tenant does not depend on it, and to a role that bypasses policies nothing is
    // shown.
    let (set, to_backup) = (format!("set role {}", db.roles.bystander), format!("set role {}", db.roles.backup));
    assert_eq!(app.inside_value(A, &format!("{set}; select count(*) from orders")).await.as_deref(), Some("3"));
    app.run("reset role").await;
    app.inside(A, &set).await; // left behind
    assert_eq!(app.value("select current_user").await, Some(db.roles.bystander.clone()));
    app.expect_error("TN001", "select * from orders").await;
    app.run("reset role").await;
    assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
    app.refused_inside("TN011", A, &format!("{to_backup}; select * from orders")).await;
    app.run("reset role").await;
    app.expect_error("42501", "set session authorization postgres").await;
}

#[tokio::test]
async fn finds_a_large_object_or_a_lock_or_a_message() {
    let db = shop("handles").await;
    let (app, other) = (db.app().await, db.app().await);
    // Each is refused inside a tenant, so none is there for the next one (TN063, TN064, TN036: other files here).
    for (code, leave) in [
        ("TN064", "select lo_open(lo_create(0), 131072)"),
        ("TN063", "select pg_advisory_lock(7)"),
        ("TN036", "listen news"),
        ("TN036", "prepare transaction 'left'"),
    ] {
        app.refused_inside(code, A, leave).await;
    }
    assert_eq!(other.value("select pg_try_advisory_lock(7)").await.as_deref(), Some("t"));
    assert_eq!(app.value("select count(*) from pg_listening_channels()").await.as_deref(), Some("0"));
    app.inside(A, "select tenant.advisory_lock('mine')").await;
    assert_eq!(other.inside_value(A, "select tenant.try_advisory_lock('mine')").await.as_deref(), Some("t"));
    // What a transaction sets for itself is gone; what it sets for the session enter_pristine refuses.
    app.inside(A, "set local app.tenant = 'x'; set local work_mem = '1MB'").await;
    assert_eq!(app.inside_value(B, "select current_setting('app.tenant', true)").await.as_deref(), Some(""));
}

//! A change of an audited table is not in the journal, or is told to somebody else, or tells a secret.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// `invoices`, audited; partitioned and inherited tables, likewise.
async fn audited(name: &str) -> Database<'static> {
    let db = shop(name).await;
    db.owner()
        .await
        .run(
            "create table invoices (tenant_id uuid not null, id int, gone int, total numeric, note text, card text, extra json, place point, primary key (tenant_id, id));
             alter table invoices drop column gone;
             create table events (tenant_id uuid not null, at int, note text, primary key (tenant_id, at)) partition by range (at);
             create table events_old partition of events for values from (0) to (10);
             create table events_new partition of events default;
             create table above (tenant_id uuid not null, id int, note text); create table below (more text) inherits (above)",
        )
        .await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "select tenant.protect(t) from unnest('{{invoices,events,above}}'::regclass[]) t;
         select tenant.audit('invoices', secret => '{{card}}'), tenant.audit('events'), tenant.audit('above', columns => '{{note}}');
         grant tenant_system to {0}; grant select, insert, update, delete on invoices to tenant_system",
        db.roles.app
    ))
    .await;
    db
}

/// What the tenant is told, without the tenant's id.
async fn told(session: &Session, tenant: &str) -> Vec<String> {
    let sql = r#"select concat_ws(' ', "table", change, key - 'tenant_id', before - 'tenant_id', after - 'tenant_id', left_out) from tenant.audit_changes order by id"#;
    session.inside(tenant, sql).await.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn to_its_tenant() {
    let db = audited("audit_tenant").await;
    let app = db.app().await;
    app.inside(
        A,
        "insert into invoices (id, total, note, card, extra, place) values (1, 1.50, null, '4242', '{\"a\":1}', '(1,2)');
         update invoices set total = 2, card = '4343';
         update invoices set total = 2; update invoices set extra = '{\"a\":2}', place = '(1,3)'; update invoices set note = repeat('x', 3000);
         update invoices set note = 'short';
         delete from invoices; delete from invoices",
    )
    .await;
    let expected = [
        r#"public.invoices insert {"id": 1} {"id": 1, "note": null, "extra": {"a": 1}, "place": "(1,2)", "total": 1.50} ["card"]"#.to_owned(),
        r#"public.invoices update {"id": 1} {"total": 1.50} {"total": 2} ["card"]"#.into(),
        r#"public.invoices update {"id": 1} {"extra": {"a": 1}, "place": "(1,2)"} {"extra": {"a": 2}, "place": "(1,3)"}"#.into(),
        format!(r#"public.invoices update {{"id": 1}} {{"note": null}} {{"note": "{}"}}"#, "x".repeat(3000)),
        format!(r#"public.invoices update {{"id": 1}} {{"note": "{}"}} {{"note": "short"}}"#, "x".repeat(3000)),
        r#"public.invoices delete {"id": 1} {"id": 1, "note": "short", "extra": {"a": 2}, "place": "(1,3)", "total": 2} ["card"]"#.into(),
    ];
    assert_eq!(told(&app, A).await, expected);
    assert!(told(&app, B).await.is_empty());
    assert!(app.rows("select * from tenant.audit_changes").await.is_empty());
    let journal =
        db.superuser().await.value("select string_agg(detail::text, ' ') from tenant.journal").await.expect("lines");
    assert!(!journal.contains("4242") && !journal.contains("4343"), "{journal}");
    // By whom, and in which transaction of theirs; what is rolled back is not told.
    let by = format!(
        "select bool_and(role = '{0}' and session_role = '{0}' and tenant_id = '{A}') from tenant.journal where object = 'public.invoices' and action like '%rows'",
        db.roles.app
    );
    assert_eq!(db.admin().await.value(&by).await.as_deref(), Some("t"));
    app.run(&format!("begin; select tenant.enter('{A}'); insert into invoices (id) values (9); rollback")).await;
    assert_eq!(told(&app, A).await.len(), expected.len());
}

#[tokio::test]
async fn whichever_statement_makes_it() {
    let db = audited("audit_ways").await;
    let app = db.app().await;
    app.inside(A, "insert into invoices (id) select generate_series(1, 2500)").await;
    let lines = "select count(*) || ' ' || sum(jsonb_array_length(detail -> 'rows')) from tenant.audit_log where action = 'insert_rows'";
    assert_eq!(app.inside_value(A, lines).await.as_deref(), Some("3 2500"));
    app.inside(A, "delete from invoices where id > 2").await;
    let before = told(&app, A).await.len();
    app.inside(
        A,
        "insert into invoices (id, note) values (2, 'again'), (3, 'new') on conflict (tenant_id, id) do update set note = excluded.note;
         merge into invoices i using (values (3), (4)) v (id) on i.id = v.id
            when matched then update set note = 'merged' when not matched then insert (id, note) values (v.id, 'made');
         with gone as (delete from invoices where id = 4 returning id) update invoices set total = 1 where id = 1;
         insert into events (at, note) values (1, 'old'), (11, 'new'); update events set at = at + 9 where at = 1; insert into events_old (at) values (5);
         insert into below (id, note, more) values (1, 'child', 'm'); update above set note = 'both', id = 2; delete from above",
    )
    .await;
    let mut all = told(&app, A).await;
    all.drain(..before);
    let expected = [
        r#"public.invoices insert {"id": 3} {"id": 3, "card": null, "#,
        r#"public.invoices update {"id": 2} {"note": null} {"note": "again"}"#,
        r#"public.invoices update {"id": 3} {"note": "new"} {"note": "merged"}"#,
        r#"public.invoices insert {"id": 4}"#,
        r#"public.invoices update {"id": 1} {"total": null} {"total": 1}"#,
        r#"public.invoices delete {"id": 4}"#,
        r#"public.events insert {"at": 1} {"at": 1, "note": "old"}"#,
        r#"public.events insert {"at": 11} {"at": 11, "note": "new"}"#,
        r#"public.events update {"at": 10} {"at": 1} {"at": 10}"#,
        r#"public.events_old insert {"at": 5}"#,
        r#"public.below insert {} {"note": "child"}"#,
        r#"public.above update {} {"note": "child"} {"note": "both"}"#,
        r#"public.above delete {} {"note": "both"}"#,
    ];
    for one in expected {
        let one = one.replace(r#"{"id": 3, "card": null, "#, "{");
        let at =
            all.iter().position(|line| line.starts_with(&one)).unwrap_or_else(|| panic!("{one} is not in {all:#?}"));
        all.remove(at);
    }
    assert!(all.is_empty(), "{all:#?}");
}

/// Operators' statements reach rows of several tenants: each is told of its own.
#[tokio::test]
async fn to_each_tenant_of_its_own() {
    let db = audited("audit_system").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    for tenant in [A, B] {
        app.inside(tenant, "insert into invoices (id, note) values (1, 'of ' || tenant.current_id())").await;
    }
    app.run(&format!(
        "begin; select tenant.enter_system('mending', write => true); update invoices set total = 7;
         insert into invoices (tenant_id, id) values ('{A}', 2), ('{B}', 3);
         update invoices set tenant_id = '{B}', id = 4 where tenant_id = '{A}' and id = 1; commit"
    ))
    .await;
    let (a, b) = (told(&app, A).await, told(&app, B).await);
    let of_b = [
        r#"update {"id": 1} {"total": null} {"total": 7}"#.to_owned(),
        r#"insert {"id": 3}"#.into(),
        format!(r#"update {{"id": 4}} {{"id": 4, "note": "of {A}""#),
    ];
    for one in of_b {
        assert!(b.iter().any(|line| line.contains(&one)), "{one}: {b:#?}");
    }
    // What it was at A is A's, and what became of it B's.
    assert!(
        a.iter().any(|line| line.starts_with(r#"public.invoices update {"id": 1} {"id": 1, "note": "of aaaa"#)),
        "{a:#?}"
    );
    assert!(!a.iter().any(|line| line.contains(r#""id": 4"#) || line.contains("of bbbb")), "{a:#?}");
    assert!(!b.iter().any(|line| line.contains(r#""id": 2"#)), "{b:#?}");
    let whose = "select string_agg(distinct left(tenant_id, 1), ' ') from tenant.journal where action like '%rows'";
    assert_eq!(boss.value(whose).await.as_deref(), Some("a b"));
    boss.run("begin; set local pg_tenant.guards = off; truncate invoices; commit").await;
    let line = "select concat_ws(' ', action, object, tenant_id) from tenant.journal order by id desc limit 1";
    assert_eq!(boss.value(line).await.as_deref(), Some("truncate_rows public.invoices"));
}

#[tokio::test]
async fn where_it_cannot_be() {
    let db = audited("audit_refused").await;
    let (boss, owner, app) = (db.superuser().await, db.protector().await, db.app().await);
    boss.run("create view looks as table invoices; create table plain (id int); create table later (like events)")
        .await;
    for (code, call) in [
        ("TN157", "tenant.audit('looks')"),
        ("TN157", "tenant.audit('tenant.tenants')"),
        ("TN157", "tenant.audit('invoices', columns => '{nothing}')"),
        ("TN157", "tenant.audit('invoices', columns => '{}')"),
        ("TN157", "tenant.audit('invoices', secret => '{gone}')"),
        ("TN157", "tenant.unaudit('plain', 'never was')"),
        ("TN029", "tenant.unaudit('invoices', '')"),
    ] {
        boss.expect_error(code, &format!("select {call}")).await;
    }
    owner.expect_error("42501", "select tenant.audit('plain')").await;
    owner.expect_error("42501", "select tenant_internal.audit_change()").await;
    owner
        .expect_error("42501", "create trigger t after insert on invoices for each statement execute function tenant_internal.audit_change('', '{}', '', '{}')")
        .await;
    app.expect_error("42501", "select tenant.audit('invoices')").await;
    app.refused_inside("TN032", A, "alter table invoices disable trigger tenant_audit_insert").await;
    owner.run("select tenant.audit('invoices', columns => '{note}')").await;
    app.inside(A, "insert into invoices (id, note, card) values (1, 'n', '4'); update invoices set total = 1").await;
    assert_eq!(told(&app, A).await, [r#"public.invoices insert {"id": 1} {"note": "n"}"#]);
    // A partition that comes later is audited as the others are.
    owner.run("create table events_later partition of events for values from (100) to (200)").await;
    app.inside(A, "insert into events_later (at) values (100)").await;
    assert!(told(&app, A).await.iter().any(|line| line.starts_with("public.events_later insert")));
    owner.run("select tenant.unaudit('invoices', 'no more')").await;
    app.inside(A, "delete from invoices").await;
    assert!(!told(&app, A).await.iter().any(|line| line.contains("delete")));
    assert_eq!(
        boss.value("select string_agg(relation::text, ' ' order by relation::text) from tenant.audited")
            .await
            .as_deref(),
        Some("above events")
    );
}

/// An error of a user's own code, which a value is told by, passes as it is.
#[tokio::test]
async fn by_an_error_of_its_own() {
    let db = audited("audit_errors").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(
        "create type odd as enum ('7', '13');
         create function odd_json(odd) returns json language plpgsql as $$ begin
            if $1 = '13' then raise 'unlucky' using errcode = 'AB123'; end if; return $1::text::json; end $$;
         create cast (odd as json) with function odd_json(odd);
         alter table invoices add column o odd; alter table invoices add column p int generated always as (id * 2) stored;
         alter table invoices add column n int, add column keys int, add column whose int, add column change int",
    )
    .await;
    app.inside(A, "insert into invoices (id, o) values (1, '7'), (2, null)").await;
    assert!(told(&app, A).await[0].contains(r#""p": 2"#));
    app.refused_inside("AB123", A, "update invoices set o = '13' where id = 1").await;
    app.inside(A, "do $$ begin update invoices set o = '13'; exception when sqlstate 'AB123' then null; end $$; update invoices set note = 'after'").await;
    assert_eq!(
        app.inside_value(A, "select count(*) from tenant.audit_changes where change = 'update'").await.as_deref(),
        Some("2")
    );
}

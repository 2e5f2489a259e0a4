//! The tenant ends with its transaction, so that a pool cannot hand one tenant's rows to another.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// What `{enter}` is followed by, and the SQLSTATE that it ends with, if any.
const ENDINGS: &[(Option<&str>, &str)] = &[
    (None, "begin; {enter}; commit"),
    (None, "begin; {enter}; rollback"),
    (None, "begin; {enter}; savepoint s; commit"),
    (None, "{enter}"),
    (None, "{enter}; select * from orders"),
    (Some("22012"), "{enter}; select 1/0"),
    (Some("22012"), "begin; {enter}; select 1/0"),
    (Some("23505"), "begin; {enter}; insert into orders (id) values (1); commit"),
    (None, "begin; {enter}; commit and chain"),
    (None, "begin; {enter}; rollback and chain"),
    (None, "begin; savepoint s; {enter}; rollback to s"),
    (None, "begin; savepoint s; {enter}; savepoint t; {enter}; release t; rollback to s"),
    (Some("TN036"), "begin; {enter}; prepare transaction '{gid}'"),
    (None, "call commits()"),
    (None, "call rolls_back()"),
    (Some("22012"), "call fails()"),
    (None, "begin; select swallows()"),
    (None, "begin; do $$ begin begin perform tenant.enter('{a}'); raise 'no'; exception when others then end; end $$"),
    (None, "do $$ begin perform tenant.enter('{a}'); end $$"),
    (None, "begin; declare c cursor for select tenant.enter('{a}'); fetch c; close c; commit"),
];

async fn procedures(db: &Database<'_>) {
    let procedure = |name: &str, end: &str| {
        format!(
            "create procedure {name}() language plpgsql as $$
             begin
                perform tenant.enter('{A}');
                if tenant.current_id() <> '{A}' then raise 'not entered'; end if;
                {end};
                if tenant.current_id() is not null then raise 'still entered'; end if;
             end $$;"
        )
    };
    let swallows = format!(
        "create function swallows() returns void language plpgsql as $$
         begin
            begin perform tenant.enter('{A}'); perform 1/0; exception when division_by_zero then null; end;
            if tenant.current_id() is not null then raise 'still entered'; end if;
         end $$;"
    );
    let all =
        procedure("commits", "commit") + &procedure("rolls_back", "rollback") + &procedure("fails", "perform 1/0");
    db.superuser().await.run(&(all + &swallows)).await;
}

async fn nothing_is_left(session: &Session, after: &str) {
    assert_eq!(session.value("select tenant.current_id()").await, None, "after {after}");
    session.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn however_it_ended() {
    let db = shop("endings").await;
    procedures(&db).await;
    let app = db.app().await;
    app.run(&format!("begin; select set_config('app.tenant', '{A}', false); commit")).await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("3"), "stock: the next borrower");
    app.run("discard all").await;

    for (verdict, ending) in ENDINGS {
        let enter = format!("select tenant.enter('{A}')");
        let sql = ending.replace("{enter}", &enter).replace("{a}", A).replace("{gid}", &db.name);
        match verdict {
            Some(sqlstate) => drop(app.expect_error(sqlstate, &sql).await),
            None => app.run(&sql).await,
        }
        if verdict.is_some() {
            app.run("rollback").await;
        }
        nothing_is_left(&app, &sql).await;
        app.run("rollback").await;
        assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"), "after {sql}");
    }
}

#[tokio::test]
async fn through_a_prepared_transaction() {
    let db = shop("twophase").await;
    let (app, gid) = (db.app().await, &db.name);
    // Nothing of a tenant in it: two-phase commit works as ever.
    app.run(&format!("begin; create temp table t () on commit drop; rollback; begin; prepare transaction '{gid}'"))
        .await;
    app.run(&format!("commit prepared '{gid}'")).await;
    let error = app.refused_inside("TN036", A, &format!("prepare transaction '{gid}'")).await;
    assert_eq!(error.detail(), Some("Any session of the role could commit it."));
    nothing_is_left(&app, "prepare transaction").await;
    assert!(app.rows("select gid from pg_prepared_xacts where database = current_database()").await.is_empty());
}

#[tokio::test]
async fn in_a_cursor_with_hold() {
    let db = shop("held").await;
    let app = db.app().await;
    app.run(&format!("begin; set local app.tenant = '{A}'; declare c cursor with hold for table stock_orders; commit"))
        .await;
    app.run(&format!("set app.tenant = '{B}'")).await;
    let rows = app.rows("fetch all from c").await;
    assert_eq!((rows.len(), rows[0][0].as_deref()), (3, Some(A)), "stock: B reads what A left");
    app.run("close c").await;

    app.refused_inside("TN036", A, "declare c cursor with hold for table orders").await;
    app.run(&format!("begin; select tenant.enter('{A}'); declare c cursor for table orders; commit")).await;
    app.expect_error("34000", "fetch all from c").await;
    // Declared with no tenant, there is nothing in it.
    app.expect_error("TN001", "declare c cursor with hold for table orders").await;
    let early = format!("declare c cursor with hold for table orders; select tenant.enter('{A}'); fetch all from c");
    app.expect_error("TN001", &format!("begin; {early}; commit")).await;
}

#[tokio::test]
async fn when_the_backend_is_reused_after_an_error_in_commit() {
    let db = shop("deferred").await;
    let owner = db.owner().await;
    owner
        .run(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'no' using errcode = 'AB123'; end $$;
             create constraint trigger late after insert on orders deferrable initially deferred
                for each row execute function refuse()",
        )
        .await;
    let app = db.app().await;
    app.expect_error(
        "AB123",
        &format!("begin; select tenant.enter('{A}'); insert into orders (id) values (9); commit"),
    )
    .await;
    nothing_is_left(&app, "an error at commit").await;
}

/// PostgreSQL hands the arguments of CALL on as they are, and the procedure may end the transaction they are from.
#[tokio::test]
async fn in_the_argument_of_a_procedure() {
    let db = shop("argument").await;
    db.owner()
        .await
        .run(
            "create table kept (at text, id text, key uuid);
             create procedure keep(entered text, id text, key uuid) language plpgsql as $$
             begin
                insert into kept values ('before', id, key);
                commit;
                insert into kept values (hashtext(id), id, key);
                perform tenant.enter((select slug from (values ('argument-b')) v (slug)));
                insert into kept values ('after', id, key);
             end $$",
        )
        .await;
    db.admin().await.run("select tenant.create('argument-b')").await;
    let app = db.app().await;
    app.run(&format!("call keep(tenant.enter('{A}'), tenant.current_id(), tenant.current_uuid())")).await;
    let same = "select count(*) from kept where id = $$A$$ and key = $$A$$ and (at in ('before', 'after') or at = hashtext(id)::text)";
    assert_eq!(app.value(&same.replace("$$A$$", &format!("'{A}'"))).await.as_deref(), Some("3"));
}

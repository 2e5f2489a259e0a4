//! The context and its role end with the transaction: no later statement of the connection reaches all tenants.

use futures_util::future::join4;
use pg_tenant_tests::shop::A;

use super::fixture::{COUNT, READ, WRITE, nothing_is_left, operator, operator_of, system_shop};

/// What `{enter}` is followed by, and the SQLSTATE that it ends with, if any.
const ENDINGS: &[(Option<&str>, &str)] = &[
    (None, "begin; {enter}; commit"),
    (None, "begin; {enter}; rollback"),
    (None, "begin; {enter}; savepoint s; commit"),
    (None, "begin; savepoint s; {enter}; release s; commit"),
    (None, "begin; savepoint s; {enter}; rollback to s"),
    (None, "begin; savepoint s; {enter}; savepoint t; {enter}; release t; rollback to s"),
    (None, "{enter}"),
    (None, "{enter}; select * from orders"),
    (Some("22012"), "{enter}; select 1/0"),
    (Some("22012"), "begin; {enter}; select 1/0"),
    (None, "begin; {enter}; commit and chain"),
    (None, "begin; {enter}; rollback and chain"),
    (Some("TN036"), "begin; {enter}; prepare transaction '{gid}'"),
    (Some("TN036"), "begin; {enter}; declare c cursor with hold for table orders"),
    (Some("TN036"), "begin; declare c cursor with hold for select looks(); {enter}"),
    (None, "begin; {enter}; declare c cursor for table orders; commit"),
    (None, "call commits()"),
    (None, "call rolls_back()"),
    (Some("22012"), "call fails()"),
    (None, "begin; select swallows()"),
    (None, "do $$ begin {perform}; end $$"),
    (None, "begin; declare c cursor for {enter}; fetch c; close c; commit"),
    (None, "begin; select sets(); commit"),
    (None, "begin; {enter}; reset role; commit"),
    (None, "begin; {enter}; set role none; commit"),
    (None, "begin; {enter}; reset all; commit"),
    (None, "begin; {enter}; savepoint s; reset role; rollback to s; commit"),
];

#[tokio::test]
async fn however_it_ended() {
    let db = system_shop("system_endings").await;
    let procedure = |name: &str, end: &str| {
        format!(
            "create procedure {name}() language plpgsql as $$
             begin
                perform tenant.enter_system('a test');
                if not tenant.in_system_context() then raise 'not entered'; end if;
                if (select count(*) from orders) <> 5 then raise 'not all rows'; end if;
                {end};
                if tenant.in_system_context() or current_user <> session_user then raise 'still entered'; end if;
             end $$;"
        )
    };
    let functions = "create function swallows() returns void language plpgsql as $$
         begin
            begin perform tenant.enter_system('a test'); perform 1/0; exception when division_by_zero then null; end;
            if tenant.in_system_context() or current_user <> session_user then raise 'still entered'; end if;
         end $$;
         create function looks() returns bigint language sql as $$ select count(*) from orders $$;
         create function sets() returns void language plpgsql set role = none as $$
         begin perform tenant.enter_system('a test'); end $$;";
    let all =
        procedure("commits", "commit") + &procedure("rolls_back", "rollback") + &procedure("fails", "perform 1/0");
    db.superuser().await.run(&(all + functions)).await;

    let session = operator(&db).await;
    // Stock: a role taken for one transaction and not given back shows every row from then on.
    session.run("begin; set role tenant_system; commit").await;
    assert_eq!(session.value("select count(*) from stock_orders").await.as_deref(), Some("5"), "stock");
    session.expect_error("TN001", COUNT).await;
    session.run("reset role").await;
    assert_eq!(session.value("select count(*) from stock_orders").await.as_deref(), Some("0"), "stock: as itself");

    for enter in [READ, WRITE] {
        for (verdict, ending) in ENDINGS {
            let sql = ending.replace("{enter}", enter).replace("{perform}", &enter.replace("select", "perform"));
            let sql = sql.replace("{gid}", &db.name);
            match verdict {
                Some(sqlstate) => drop(session.expect_error(sqlstate, &sql).await),
                None => session.run(&sql).await,
            }
            if verdict.is_some() {
                session.run("rollback").await;
            }
            nothing_is_left(&session, &sql).await;
            assert_eq!(session.inside_value(A, COUNT).await.as_deref(), Some("3"), "after {sql}");
        }
    }
}

/// SET ROLE without LOCAL stays, as it does on stock, and is only a role: what it reaches is refused, and no pool lends
/// it.
#[tokio::test]
async fn in_a_role_that_stays() {
    let db = system_shop("system_stays").await;
    for stays in ["set role tenant_system", "set local role tenant_system; set role tenant_system"] {
        let session = operator(&db).await;
        session.run(&format!("begin; {WRITE}; {stays}; commit")).await;
        assert_eq!(session.value("select current_user::text").await.as_deref(), Some("tenant_system"));
        for row_security in ["on", "off"] {
            session.run(&format!("set row_security = {row_security}")).await;
            for sql in
                [COUNT, "update orders set note = ''", "delete from orders", "insert into orders (id) values (9)"]
            {
                session.expect_error("TN001", sql).await;
            }
            session.expect_error("TN031", "truncate orders").await;
        }
        session.run("reset row_security").await;
        session.expect_error("TN008", "select tenant.enter_system_pristine('a test')").await;
        let error = session
            .expect_error("TN008", "reset role; set role tenant_system; select tenant.enter_system_pristine('a test')")
            .await;
        assert!(error.detail().is_some_and(|detail| detail.contains("role")), "{error:?}");
    }
}

#[tokio::test]
async fn in_a_session_of_a_superuser() {
    let db = system_shop("system_authorization").await;
    let (boss, login) = (db.superuser().await, operator_of(&db));
    let who = "select session_user::text || ' ' || current_user::text";
    for inside in [
        format!("set session authorization {login}"),
        format!("set local session authorization {login}"),
        format!("set local session authorization {login}; reset session authorization"),
        format!("set local session authorization {login}; set local role tenant_system"),
    ] {
        boss.run(&format!("begin; {WRITE}; {inside}")).await;
        boss.run("commit; reset session authorization").await;
        assert_eq!(boss.value(who).await.as_deref(), Some("postgres postgres"), "{inside}");
        assert_eq!(boss.value("select tenant.in_system_context()").await.as_deref(), Some("f"), "{inside}");
        assert_eq!(boss.value("select current_setting('pg_tenant.id')").await.as_deref(), Some(""), "{inside}");
    }
    let session = operator(&db).await;
    session.expect_error("42501", &format!("begin; {WRITE}; set session authorization postgres")).await;
    session.run("rollback").await;
    nothing_is_left(&session, "an attempt").await;
}

/// Enter and a query on the wire before the first answer is read: with `begin`, and as one transaction of its own.
#[tokio::test]
async fn in_a_pipeline() {
    let db = system_shop("system_pipeline").await;
    let session = operator(&db).await;
    let enter = session.prepare("select tenant.enter_system($1)").await.expect("prepare");
    let count = session.prepare("select count(*), count(distinct tenant_id) from orders").await.expect("prepare");
    for _ in 0..7 {
        let args: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&"a test"];
        let (begun, entered, counted, committed) = join4(
            session.batch_execute("begin"),
            session.query(&enter, &args),
            session.query_one(&count, &[]),
            session.batch_execute("commit"),
        )
        .await;
        begun.expect("begin");
        entered.expect("enter");
        let row = counted.expect("count");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5, 2));
        committed.expect("commit");
        nothing_is_left(&session, "a pipeline").await;
        // The same prepared statement in a tenant: a plan of its own, for another role.
        session.run(&format!("begin; select tenant.enter('{A}')")).await;
        let row = session.query_one(&count, &[]).await.expect("count");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3, 1));
        session.run("commit").await;
    }
}

/// Every tenant's rows in a temporary table, for the tenant whose transaction is the next of the connection.
#[tokio::test]
async fn as_a_temporary_table() {
    let db = system_shop("system_temporary").await;
    let session = operator(&db).await;
    db.superuser().await.run(&format!("grant temporary on database {} to tenant_system", db.name)).await;
    // The hole: the next tenant finds all five.
    session.run("begin; set local role tenant_system; create temp table loot as table stock_orders; commit").await;
    session.run(&format!("begin; set local app.tenant = '{A}'; set local role tenant_system")).await;
    assert_eq!(session.value("select count(*) from loot").await.as_deref(), Some("5"));
    session.run("drop table loot; commit").await;

    for make in [
        "create temp table loot as table orders",
        "select * into temp loot from orders",
        "create temp table loot (like orders); insert into loot select * from orders",
        "create temp table loot (like orders) on commit delete rows",
        "do $$ begin execute 'create temp table loot as table orders'; end $$",
        "create temp view loot as select * from orders",
        "create temp sequence loot",
    ] {
        let refused = session.expect_error("TN036", &format!("begin; {WRITE}; {make}")).await; // TN036
        assert!(refused.message().ends_with("would outlive the system context"), "{refused:?}");
        session.run("rollback").await;
    }
    // The neighbours: what goes with the transaction, and a view over it.
    session
        .run(&format!(
            "begin; {WRITE}; create temp table work on commit drop as table orders; create temp view seen as table work; commit"
        ))
        .await;
    assert_eq!(session.value("select to_regclass('work')").await, None);
}

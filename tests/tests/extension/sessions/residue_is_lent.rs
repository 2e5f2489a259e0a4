//! A connection goes back to the pool with something of its transaction on it, and the next tenant gets it.
//! `tenant.enter_pristine` is what a pool enters with: it refuses such a session (TN008), or cleans it.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Install, Session};

/// What a transaction of A leaves, and what DETAIL calls it.
pub const RESIDUE: &[(&str, &str)] = &[
    ("set search_path = pg_temp", "\"search_path\""),
    ("set statement_timeout = '1h'", "\"statement_timeout\""),
    ("set session work_mem = '1MB'", "\"work_mem\""),
    ("set app.tenant = 'x'", "\"app.tenant\""),
    ("select set_config('app.tenant', 'x', false)", "\"app.tenant\""),
    ("do $$ begin perform set_config('work_mem', '1MB', false); end $$", "\"work_mem\""),
    ("do $$ declare x text; begin x := set_config('work_mem', '1MB', false); end $$", "\"work_mem\""),
    ("update pg_settings set setting = '1024' where name = 'work_mem'", "\"work_mem\""),
    ("select leave_setting()", "\"work_mem\""),
    ("select count(leave_setting()) from generate_series(1, 2)", "\"work_mem\""),
    ("set role {app}", "\"role\""),
    ("set row_security = off", "\"row_security\""),
    ("set session characteristics as transaction read only", "\"default_transaction_read_only\""),
    ("set time zone 'Asia/Tokyo'", "\"TimeZone\""),
    ("set datestyle = german", "\"DateStyle\""),
    ("create temp table t (n int)", "temporary objects"),
    ("create temp sequence s", "temporary objects"),
    ("create temp view v as select 1", "temporary objects"),
    ("create function pg_temp.f() returns int language sql as 'select 1'", "temporary objects"),
    ("create type pg_temp.y as enum ('a')", "temporary objects"),
    ("prepare p as select 1", "PREPARE"),
    ("listen c", "LISTEN"),
    ("declare c cursor with hold for select 1", "WITH HOLD"),
];

/// What may stand there, or ends with its transaction.
const CLEAN: &[&str] = &[
    "select 1",
    "set local work_mem = '1MB'",
    "select set_config('app.tenant', 'x', true)",
    "set transaction isolation level serializable",
    "set transaction read only",
    "create temp table t on commit drop as select 1",
    "select tenant.advisory_lock('1'), tenant.try_advisory_lock('2')",
    "declare c cursor for select 1",
    "savepoint s; set work_mem = '1MB'; rollback to s",
    "set work_mem = '1MB'; reset work_mem",
    // A value is no residue that is the one RESET gives.
    "set jit = off; select set_config('jit', current_setting('jit'), false); set jit = default",
    "select set_config('jit', (select reset_val from pg_settings where name = 'jit'), false)",
    "select set_config('work_mem', '1MB', false); set work_mem = '4MB'",
    "set search_path = pg_temp; set search_path = \"$user\", public",
    "set datestyle = german; set datestyle = iso, mdy",
    "set seq_page_cost = 2; set seq_page_cost = 1",
    "set bytea_output = escape; set bytea_output = hex",
    "set session authorization default; set role none",
    "insert into orders (id) values (200); delete from orders where id = 200",
    "discard plans",
    "select tenant.notify('c')",
];

pub async fn lend(session: &Session, tenant: &str) -> Result<Option<String>, String> {
    let answer = session.simple_query(&format!("begin; select tenant.enter_pristine('{tenant}'); commit")).await;
    session.batch_execute("rollback").await.expect("rollback");
    match answer {
        Ok(_) => Ok(None),
        Err(e) => match e.as_db_error() {
            Some(e) if e.code().code() == "TN008" => Ok(Some(e.detail().unwrap_or_default().to_owned())),
            other => Err(format!("{e}: {other:?}")),
        },
    }
}

#[tokio::test]
async fn to_the_next_tenant() {
    let db = shop("residue").await;
    let leave = "create function leave_setting() returns text language sql as
        $$ select set_config('work_mem', '1MB', false) $$";
    db.owner().await.run(leave).await;
    for (leave, name) in RESIDUE {
        let app = db.app().await;
        assert_eq!(lend(&app, A).await, Ok(None), "found clean, and remembered as clean");
        let sql = leave.replace("{app}", &db.roles.app);
        // As A left it, B gets it: enter says nothing.
        let left = app.batch_execute(&format!("begin; select tenant.enter('{A}'); {sql}; commit")).await;
        if left.is_err() {
            app.run("rollback").await; // refused inside a tenant already: then it was left before
            app.run(&sql).await;
        }
        app.run(&format!("select tenant.enter('{B}')")).await;
        let said = lend(&app, B).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(said.as_ref().is_some_and(|detail| detail.contains(name)), "{sql}: {said:?}");
        app.run("discard all").await;
        assert_eq!(lend(&app, B).await, Ok(None), "{sql}, then discard all");
    }
    // Made ready to run before the tenant is entered, and run after it.
    let app = db.app().await;
    app.run(&format!(
        "begin; declare c cursor for select set_config('work_mem', '1MB', false);
         select tenant.enter_pristine('{A}'); fetch c; commit"
    ))
    .await;
    assert!(matches!(lend(&app, B).await, Ok(Some(_))), "by a cursor");
    // Set before the tenant is entered, in the same transaction: clean then, and not any more when it is committed.
    for set in ["set work_mem = '1MB'", "select set_config('app.tenant', 'x', false)"] {
        let app = db.app().await;
        app.run(&format!("begin; {set}; select tenant.enter_pristine('{A}'); commit")).await;
        assert!(matches!(lend(&app, B).await, Ok(Some(_))), "{set}");
        // By the extended protocol, prepared once.
        let app = db.app().await;
        let statement = app.prepare(set).await.expect("prepare");
        for _ in 0..2 {
            assert_eq!(lend(&app, A).await, Ok(None));
            app.execute(&statement, &[]).await.expect("set");
            assert!(matches!(lend(&app, B).await, Ok(Some(_))), "{set}");
            app.run("reset all").await;
        }
    }
}

#[tokio::test]
async fn though_there_is_none() {
    let db = shop("clean").await;
    let app = db.app().await;
    assert_eq!(lend(&app, A).await, Ok(None), "a fresh session");
    for clean in CLEAN {
        app.run(&format!(
            "begin; {}select tenant.enter_pristine('{A}'); {clean}; commit",
            if clean.contains("serializable") { "set transaction isolation level serializable; " } else { "" }
        ))
        .await;
        assert_eq!(lend(&app, B).await, Ok(None), "after {clean}");
    }
    // What the login brought along is no residue: the pool's own startup options, ALTER ROLE SET.
    db.superuser().await.run(&format!("alter role {} set work_mem = '1MB'", db.roles.app)).await;
    let configured =
        Session::connect(db.config(&db.roles.app).options("-c statement_timeout=5h").application_name("pool")).await;
    assert_eq!(lend(&configured, A).await, Ok(None));
    // In the middle of the tenant's own transaction nothing is asked.
    app.run(&format!(
        "begin; select tenant.enter('{A}'); set work_mem = '1MB'; select tenant.enter_pristine('{A}'); rollback"
    ))
    .await;
    assert_eq!(lend(&app, A).await, Ok(None));
}

#[tokio::test]
async fn as_a_lock_or_a_sequence() {
    let db = shop("locks").await;
    db.owner().await.run("create sequence numbers").await;
    let (app, other) = (db.app().await, db.app().await);
    let held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    app.run("select pg_advisory_lock(7), pg_advisory_lock(7)").await; // with no tenant: inside one it is refused
    app.inside(A, "select nextval('numbers')").await;
    app.run(&format!("select tenant.enter('{B}')")).await;
    assert_eq!(app.value(held).await.as_deref(), Some("1"), "enter leaves it");
    assert_eq!(other.value("select pg_try_advisory_lock(7)").await.as_deref(), Some("f"));

    app.inside(A, "select nextval('numbers')").await;
    app.run(&format!("begin; select tenant.enter_pristine('{A}')")).await;
    app.expect_error("55000", "select lastval()").await;
    app.run("rollback").await;
    assert_eq!(app.value(held).await.as_deref(), Some("0"));
    app.expect_error("55000", "select currval('numbers')").await;
    assert_eq!(other.value("select pg_try_advisory_lock(7)").await.as_deref(), Some("t"));
}

#[tokio::test]
async fn before_the_tenant_is_known() {
    let db = shop("order").await;
    let app = db.app().await;
    app.run("set work_mem = '1MB'").await;
    let error = app.expect_error("TN008", "select tenant.enter_pristine('nobody')").await;
    assert_eq!(error.hint().map(|h| h.contains("SET LOCAL")), Some(true), "{error:?}");
    app.run("reset work_mem").await;
    app.expect_error("TN002", "select tenant.enter_pristine('nobody')").await;
    app.expect_error("TN004", "select tenant.enter_pristine('a b')").await;
    app.refused_inside("TN005", A, &format!("select tenant.enter_pristine('{B}')")).await;
    let session = format!("begin; select tenant.enter_pristine('{A}'); select count(*) from orders; commit");
    assert_eq!(app.rows(&session).await[1], [Some("3".to_owned())]);
}

/// A function in C that sets a setting by itself: neither a command nor `set_config` is seen.
#[tokio::test]
async fn as_a_setting_of_another_extension() {
    if Install::current().lacks("pg_trgm") {
        return;
    }
    let db = shop("foreign_c").await;
    db.superuser().await.run("create extension pg_trgm").await;
    let app = db.app().await;
    let limit = "select similarity('note', note), note % 'note' from orders";
    for _ in 0..3 {
        app.inside(A, limit).await;
        assert_eq!(lend(&app, B).await, Ok(None), "what only reads leaves nothing");
    }
    // The hole: the next tenant's search finds other rows.
    for set in ["select set_limit(0.99)", "do $$ begin perform set_limit(0.99); end $$"] {
        let app = db.app().await;
        assert_eq!(lend(&app, A).await, Ok(None));
        app.inside(A, set).await;
        app.run(&format!("select tenant.enter('{B}')")).await;
        assert_eq!(app.value("show pg_trgm.similarity_threshold").await.as_deref(), Some("0.99"));
        let left = lend(&app, B).await;
        assert!(
            matches!(&left, Ok(Some(detail)) if detail.contains("pg_trgm.similarity_threshold")),
            "{set}: {left:?}"
        );
    }
    // With no tenant too, and made ready to run by a cursor.
    let app = db.app().await;
    assert_eq!(lend(&app, A).await, Ok(None));
    app.run("select set_limit(0.99)").await;
    assert!(matches!(lend(&app, B).await, Ok(Some(_))), "with no tenant");
    let app = db.app().await;
    app.run(&format!(
        "begin; declare c cursor for select set_limit(0.99); select tenant.enter_pristine('{A}'); fetch c; commit"
    ))
    .await;
    assert!(matches!(lend(&app, B).await, Ok(Some(_))), "by a cursor");
    // In the server under another name.
    db.superuser()
        .await
        .run("create function quietly(text, text, boolean) returns text language internal as 'set_config_by_name'")
        .await;
    let app = db.app().await;
    assert_eq!(lend(&app, A).await, Ok(None));
    app.inside(A, "select quietly('work_mem', '1MB', false)").await;
    assert!(matches!(lend(&app, B).await, Ok(Some(_))), "set_config under another name");
}

/// What a pooler sets between two transactions, so that the connection is as its client asked, is no residue; the same
/// from inside a tenant is, and so is what changes how a literal is read.
#[tokio::test]
async fn as_what_a_pooler_hands_on() {
    let db = shop("handed_on").await;
    let app = db.app().await;
    let handed_on = [
        ("application_name", "shop"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, DMY"),
        ("extra_float_digits", "3"),
        ("IntervalStyle", "iso_8601"),
        ("standard_conforming_strings", "on"),
        ("TimeZone", "Asia/Tokyo"),
    ];
    let all: String = handed_on.map(|(name, value)| format!("set {name} = '{value}';")).concat();
    assert_eq!(lend(&app, A).await, Ok(None));
    app.run(&all).await;
    assert_eq!(lend(&app, A).await, Ok(None), "all of them");
    for (name, value) in handed_on {
        let (set, detail) = (format!("set {name} = '{value}'"), format!("\"{name}\""));
        let left = |said: Result<Option<String>, String>| said.unwrap().is_some_and(|said| said.contains(&detail));
        app.run(&set).await;
        for inside in [
            format!("begin; select tenant.enter('{A}'); set local {name} = '{value}'; commit"),
            format!("begin; select tenant.enter('{A}'); savepoint s; {set}; rollback to s; commit"),
            format!("begin; select tenant.enter('{A}'); {set}; rollback"),
        ] {
            app.run(&inside).await;
            assert_eq!(lend(&app, B).await, Ok(None), "{inside}");
        }
        // What is the session's value anyway is no residue.
        let handed = set;
        let (value, set) = match name {
            "client_encoding" => ("LATIN1", "set client_encoding = 'LATIN1'".to_owned()),
            "extra_float_digits" => ("0", "set extra_float_digits = 0".to_owned()),
            "standard_conforming_strings" => ("off", "set standard_conforming_strings = off".to_owned()),
            _ => (value, handed.clone()),
        };
        for inside in [
            format!("begin; select tenant.enter('{A}'); {set}; commit"),
            format!("begin; {set}; select tenant.enter('{A}'); commit"),
            format!("begin; select tenant.enter('{A}'); select set_config('{name}', '{value}', false); commit"),
            format!("begin; select tenant.enter('{A}'); {set}; set local {name} = '{value}'; commit"),
            format!("begin; select tenant.enter('{A}'); savepoint s; {set}; release s; commit"),
        ] {
            app.run(&inside).await;
            assert!(left(lend(&app, B).await), "{inside}");
            assert!(left(lend(&app, B).await), "{inside}, asked again");
            app.run(&handed).await;
            assert_eq!(lend(&app, B).await, Ok(None), "{inside}, then handed on anew");
        }
    }
    for (set, name) in [
        ("set standard_conforming_strings = off", "\"standard_conforming_strings\""),
        ("set client_encoding = 'LATIN1'", "\"client_encoding\""),
        ("set extra_float_digits = 0", "\"extra_float_digits\""),
        ("set work_mem = '1MB'", "\"work_mem\""),
    ] {
        let app = db.app().await;
        app.run(&format!("{all} {set}")).await;
        assert!(lend(&app, A).await.unwrap().is_some_and(|said| said.contains(name)), "{set}");
    }
    // In a session that has only known plain enter.
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}'); set time zone 'Asia/Tokyo'; commit")).await;
    assert!(matches!(lend(&app, B).await, Ok(Some(_))));
}

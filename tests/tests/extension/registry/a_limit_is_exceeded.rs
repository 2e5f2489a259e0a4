//! A tenant gets what it was given and not more, and no other transaction gets its limits.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

/// The argument of set_limits, the setting, its value inside the tenant, and without.
const LIMITS: &[(&str, &str, &str, &str)] = &[
    ("statement_timeout => '3600500 ms'", "statement_timeout", "3600500ms", "0"),
    ("lock_timeout => '2 h'", "lock_timeout", "2h", "0"),
    ("idle_in_transaction_session_timeout => '1 hour'", "idle_in_transaction_session_timeout", "1h", "0"),
    ("work_mem => '1MB'", "work_mem", "1MB", "4MB"),
    ("read_only => true", "transaction_read_only", "on", "off"),
];

/// Long for what comes before the statement that must not get through, which sleeps far longer.
const SOON: &str = "statement_timeout => '500 ms'";

async fn show(session: &Session, setting: &str) -> String {
    session.value(&format!("show {setting}")).await.expect("a value")
}

#[tokio::test]
async fn each_one() {
    let db = shop("each").await;
    let (app, admin) = (db.app().await, db.admin().await);
    for (argument, setting, limited, free) in LIMITS {
        admin.run(&format!("select tenant.set_limits('{A}', {argument})")).await;
        for enter in ["enter", "enter_pristine"] {
            app.run(&format!("begin; select tenant.{enter}('{A}')")).await;
            assert_eq!(show(&app, setting).await, *limited);
            app.run("commit").await;
            assert_eq!(show(&app, setting).await, *free, "after {argument}");
        }
        app.run(&format!("begin; savepoint s; select tenant.enter('{A}'); rollback to s")).await;
        assert_eq!(show(&app, setting).await, *free, "undone by a savepoint");
        app.run(&format!("select tenant.enter('{A}')")).await;
        assert_eq!(show(&app, setting).await, *limited, "and entered again");
        app.run("rollback").await;
        app.run(&format!("begin; select tenant.enter('{B}')")).await;
        assert_eq!(show(&app, setting).await, *free, "another tenant");
        app.run("rollback").await;
    }
    admin.run(&format!("select tenant.set_limits('{A}')")).await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    assert_eq!(show(&app, "transaction_read_only").await, "off", "null is no limit");
    app.run("rollback").await;
}

#[tokio::test]
async fn by_a_statement_that_runs_too_long() {
    let db = shop("long").await;
    let app = db.app().await;
    db.admin().await.run(&format!("select tenant.set_limits('{A}', {SOON})")).await;
    app.refused_inside("57014", A, "select pg_sleep(60)").await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    app.expect_error("57014", "select pg_sleep(60)").await;
    app.run("rollback").await;
    app.run(&format!("begin; select tenant.enter('{A}'); savepoint s; select 1")).await;
    app.expect_error("57014", "select pg_sleep(60)").await;
    app.run("rollback to s").await;
    app.expect_error("57014", "select pg_sleep(60)").await;
    app.run("rollback").await;
    // The statement that enters is one of the tenant's as well; a limit of the session does not push it out.
    let sleeps = format!("do $$ begin perform tenant.enter('{A}'); perform pg_sleep(60); end $$");
    app.expect_error("57014", &sleeps).await;
    app.run("set statement_timeout = '1h'").await;
    app.expect_error("57014", &sleeps).await;
}

#[tokio::test]
async fn by_a_bound_role_that_runs_too_long() {
    let db = shop("long_bound").await;
    let admin = db.admin().await;
    admin.run(&format!("select tenant.set_limits('{A}', {SOON})")).await;
    admin.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.expect_error("57014", "select pg_sleep(60)").await;
    bound.run("set statement_timeout = '1h'").await;
    bound.expect_error("57014", "select pg_sleep(60)").await;
}

#[tokio::test]
async fn by_waiting_for_a_lock() {
    let db = shop("waits").await;
    let (app, owner) = (db.app().await, db.owner().await);
    db.admin().await.run(&format!("select tenant.set_limits('{A}', lock_timeout => '20 ms')")).await;
    owner.run("begin; lock table orders").await;
    app.refused_inside("55P03", A, "table orders").await;
    owner.run("rollback").await;
}

#[tokio::test]
async fn by_writing() {
    let db = shop("writes").await;
    let app = db.app().await;
    db.admin().await.run(&format!("select tenant.set_limits('{A}', read_only => true)")).await;
    for write in [
        "insert into orders (id) values (9)",
        "delete from orders",
        "update orders set note = ''",
        "create view v as select 1",
    ] {
        app.refused_inside("25006", A, write).await;
    }
    app.inside(A, "table orders").await;
    app.inside(B, "update orders set note = ''").await;
}

#[tokio::test]
async fn with_a_value_out_of_range() {
    let db = shop("range").await;
    let admin = db.admin().await;
    for argument in [
        "statement_timeout => '0'",
        "statement_timeout => '-1 s'",
        "statement_timeout => '999 microseconds'",
        "lock_timeout => '25 days'",
        "idle_in_transaction_session_timeout => '1 year'",
        "work_mem => '63kB'",
        "work_mem => '4TB'",
        "work_mem => '-1'",
    ] {
        let error = admin.expect_error("TN051", &format!("select tenant.set_limits('{A}', {argument})")).await;
        assert_eq!(error.hint(), Some("Pass null for no limit."), "{argument}");
    }
    admin.expect_error("22023", &format!("select tenant.set_limits('{A}', work_mem => 'much')")).await;
    admin.expect_error("22007", &format!("select tenant.set_limits('{A}', lock_timeout => 'soon')")).await;
    admin.expect_error("23514", "update tenant.tenants set work_mem_kb = 1").await;
    // A change reaches sessions that have entered before.
    let app = db.app().await;
    app.inside(A, "table orders").await;
    admin.run(&format!("select tenant.set_limits('{A}', '24 days', '1 ms', '1 ms', '64kB')")).await;
    assert_eq!(app.inside_value(A, "show lock_timeout").await.as_deref(), Some("1ms"));
}

/// What takes memory by another name is held to the limit where the server gives more, and is as before afterwards.
#[tokio::test]
async fn by_another_name() {
    let db = shop("other_memory").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin.run(&format!("select tenant.set_limits('{A}', work_mem => '2MB')")).await;
    let given = "set hash_mem_multiplier = 8; set maintenance_work_mem = '256MB'; set temp_buffers = '16MB'";
    app.run(given).await;
    for _ in 0..2 {
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        for (setting, limited) in [
            ("hash_mem_multiplier", "2"),
            ("maintenance_work_mem", "2MB"),
            ("logical_decoding_work_mem", "2MB"),
            ("temp_buffers", "16MB"), // what the session has
        ] {
            assert_eq!(show(&app, setting).await, limited, "{setting}");
        }
        // Less of the one leaves more for the other.
        app.run("set local work_mem = '64kB'; set local hash_mem_multiplier = 60; table orders").await;
        app.expect_error("TN009", "set local work_mem = '1MB'").await;
        app.run("rollback").await;
        assert_eq!(show(&app, "hash_mem_multiplier").await, "8");
        assert_eq!(show(&app, "maintenance_work_mem").await, "256MB");
    }
    app.run(&format!("begin; select tenant.enter('{B}'); set local hash_mem_multiplier = 1000; rollback")).await;
}

//! A login that may read across tenants, for reports, does more than that; or its use stands in no journal.

use pg_tenant_tests::shop::A;
use pg_tenant_tests::{Database, Session};

use super::fixture::{COUNT, READ, WRITE, nothing_is_left, system_shop};

async fn reader(db: &Database<'_>) -> Session {
    let reader = format!("regress_{}_reports", db.name);
    db.superuser()
        .await
        .run(&format!(
            "create role {reader} login; grant tenant_reader to {reader};
             grant select, insert, update, delete, truncate on orders, stock_orders to tenant_reader"
        ))
        .await;
    db.connect(&reader).await
}

#[tokio::test]
async fn than_read_them_all() {
    let db = system_shop("system_reports").await;
    let reports = reader(&db).await;
    // Stock: what reads past the policies also writes past them.
    reports.run("begin; set local role tenant_reader; update stock_orders set note = 'x'; rollback").await;
    reports.run(&format!("begin; {READ}")).await;
    assert_eq!(reports.value(COUNT).await.as_deref(), Some("5"));
    assert_eq!(reports.value("select current_user::text").await.as_deref(), Some("tenant_reader"));
    assert_eq!(reports.value("select tenant.in_system_context()").await.as_deref(), Some("t"));
    assert_eq!(reports.value("select count(*) from tenant.tenants").await.as_deref(), Some("2"));
    reports.run("commit").await;
    nothing_is_left(&reports, "a report").await;
    let error = reports.expect_error("TN013", WRITE).await;
    assert!(error.detail().is_some_and(|d| d.contains("tenant_reader")), "{error:?}");
    reports.expect_error("TN013", "select tenant.enter_system_pristine('a test', true)").await;
    reports.expect_error("42501", "select tenant.enter_system_as_owner('a test')").await;
    reports.expect_error("42501", &format!("select tenant.enter('{A}')")).await;
    reports.expect_error("42501", "set role tenant_system").await;
    reports.expect_error("TN001", &format!("set local role tenant_reader; {COUNT}")).await;
    reports.run("rollback").await;
    for write in ["update orders set note = 'x'", "delete from orders", "truncate orders"] {
        for before in ["select 1", "set local transaction_read_only = off", "savepoint s; release s"] {
            reports.run(&format!("begin; {READ}")).await;
            let error = reports.batch_execute(&format!("{before}; {write}")).await.expect_err(write);
            let code = error.code().expect("an error of the server").code();
            assert!(["25006", "TN015", "25001"].contains(&code), "{before}; {write}: {code}");
            reports.run("rollback").await;
        }
    }
    // With other rights than its own.
    reports.run(&format!("begin; {READ}; reset role")).await;
    reports.expect_error("TN016", COUNT).await;
    reports.run("rollback").await;
    // The role that may write reads under its own name, and takes no other.
    let operator = super::fixture::operator(&db).await;
    operator.run(&format!("begin; {WRITE}; update orders set note = 'x'; rollback; begin; {READ}")).await;
    assert_eq!(operator.value("select current_user::text").await.as_deref(), Some("tenant_system"));
    operator.run("rollback").await;
    let line = "select role || ' ' || reason from tenant.journal where action = 'enter_system' and session_role like '%_reports'";
    assert_eq!(db.admin().await.value(line).await.as_deref(), Some("tenant_reader a test"));
}

/// What its own transaction could not journal stands in the log, and is brought in from there: once.
#[tokio::test]
async fn than_the_journal_says() {
    let db = system_shop("system_imported").await;
    let (reports, admin) = (reader(&db).await, db.admin().await);
    let reason = "report \"7\" of {all} \\ of them";
    reports.run(&format!("begin read only; select tenant.enter_system('{reason}'); {COUNT}; commit")).await;
    reports.run("begin read only; select tenant.enter_system('pg_tenant use {\"id\": 1}'); commit").await;
    let log = db.cluster().log();
    let lines: Vec<String> = log
        .lines()
        .filter(|line| line.contains(&format!("regress_{}_reports", db.name)) && line.contains(" LOG: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.iter().filter(|line| line.contains("pg_tenant use {")).count(), 2, "{lines:?}");
    let import = async |lines: &[String]| {
        let literals: Vec<String> = lines.iter().map(|line| format!("$line${line}$line$")).collect();
        let sql = format!(
            "select concat_ws(' ', taken, known, elsewhere, refused) from tenant.import_readings(array[{}]::text[])",
            literals.join(",")
        );
        admin.value(&sql).await.expect("counts")
    };
    assert_eq!(import(&lines).await, "2 0 0 0");
    assert_eq!(import(&lines).await, "0 2 0 0", "each once");
    let told =
        "select reason, detail ->> 'login' like '%\\_reports', (detail ->> 'at')::timestamptz <= now(), tenant_id
        from tenant.journal where action = 'enter_system_unjournalled' order by id limit 1";
    assert_eq!(admin.rows(told).await, [[Some(reason.into()), Some("t".into()), Some("t".into()), None]]);

    // As csvlog and jsonlog have it; of another database; and what is none of ours.
    let object = |id: &str, database: &str| {
        format!(
            "pg_tenant use {{\"id\": \"00000000-0000-4000-8000-00000000000{id}\", \"at\": 1, \"database\": \"{database}\", \"login\": \"ann\", \"reason\": \"x\"}}"
        )
    };
    let json = |user: &str, id| {
        format!("{{\"user\":\"{user}\",\"message\":\"said | {}\"}}", object(id, &db.name).replace('"', "\\\""))
    };
    let csv = format!("2026-11-30,\"ann\",\"said | {}\",,\"a }} brace\"", object("2", &db.name).replace('"', "\"\""));
    for (line, counts) in [
        (object("1", &db.name), "1 0 0 0"),
        (csv, "1 0 0 0"),
        (json("ann", "3"), "1 0 0 0"),
        (json("bob", "4"), "0 0 0 1"), // who logged in was another
        (object("5", "elsewhere"), "0 0 1 0"),
        (format!("{} {}", object("6", &db.name), object("7", &db.name)), "0 0 0 1"), // a prefix that looks like one
        (object("x", &db.name), "0 0 0 1"),
        ("pg_tenant use {".into(), "0 0 0 1"),
        ("pg_tenant use {}".into(), "0 0 0 1"),
        (object("8", &db.name).replace("\"x\"", "\"a\\nb\""), "0 0 0 1"), // a line break
        ("another line".into(), "0 0 0 0"),
    ] {
        assert_eq!(import(std::slice::from_ref(&line)).await, counts, "{line}");
    }
    assert_eq!(import(&[]).await, "0 0 0 0");
    for role in [&db.roles.app, &db.roles.bystander] {
        db.connect(role).await.expect_error("42501", "select tenant.import_readings('{}')").await;
    }
    reports.expect_error("42501", "select tenant.import_readings('{}')").await;
}

//! With `pg_tenant.log_tenant` each line of the server's log says whose it is, and no client hears of it.

use pg_tenant_tests::{Cluster, Options};

#[tokio::test]
async fn in_text_and_json() {
    let options = Options::default()
        .set("pg_tenant.log_tenant", "on")
        .set("log_min_duration_statement", "0")
        .set("log_destination", "stderr,jsonlog,csvlog")
        .set("logging_collector", "off");
    let cluster = Cluster::start(options);
    let db = cluster.database("logged").await;
    db.superuser().await.run("select tenant.create('acme')").await;
    let app = db.app().await;
    app.run("begin; select tenant.enter('acme')").await;
    let error = app.expect_error("22012", "select 1/0").await;
    assert_eq!(error.detail(), None, "the client's error is as it was");
    app.run("rollback").await;
    app.run("begin; select tenant.enter('acme')").await;
    let error = app.expect_error("TN005", "select tenant.enter('globex')").await;
    assert!(!error.detail().unwrap_or_default().contains("tenant: acme"), "{error:?}");
    app.run("rollback").await;
    let log = cluster.log();
    let after = |line: &str| {
        let at = log.find(line).unwrap_or_else(|| panic!("{line} is not in the log"));
        log[at..].lines().nth(1).unwrap_or_default().to_owned()
    };
    assert!(after("ERROR:  division by zero").ends_with("DETAIL:  tenant: acme"), "{log}");
    assert!(after("statement: begin; select tenant.enter('acme')").contains("tenant: acme"), "{log}");
    // What a refusal says itself comes after it.
    let refused = &log[log.find("already").unwrap_or_default()..];
    assert!(refused.contains("DETAIL:  tenant: acme\n\tThe transaction has entered tenant \"acme\"."), "{refused}");
}

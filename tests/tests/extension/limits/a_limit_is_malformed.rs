//! A limit that is none is refused; one that is, is in force everywhere with the next transaction.

use pg_tenant_tests::database;

#[tokio::test]
async fn by_its_name_or_its_numbers() {
    let db = database("limits_malformed").await;
    let admin = db.admin().await;
    admin.run("select tenant.create('acme')").await;
    for (name, hard, soft, burst) in [
        ("connections", "1", "null", "null"),
        ("concurrent_transactions", "0", "null", "null"),
        ("concurrent_transactions", "null", "null", "null"),
        ("concurrent_transactions", "5", "5", "null"),
        ("concurrent_transactions", "5", "null", "9"),
        ("transactions_per_second", "5", "null", "0"),
        ("weight", "10001", "null", "null"),
        ("advisory_locks", "5", "3", "null"),
        ("temporary_bytes", "9000000000000", "null", "null"),
    ] {
        let given = format!("'{name}', {hard}, {soft}, {burst}");
        admin.expect_error("TN051", &format!("select tenant.set_limit('acme', {given})")).await;
    }
    admin.expect_error("TN002", "select tenant.set_limit('none-such', 'weight', 5)").await;
    admin.expect_error("TN136", "select tenant.set_plan_limit('none-such', 'weight', 5)").await;
    db.app().await.expect_error("42501", "select tenant.set_limit('acme', 'weight', 5)").await;
    db.app().await.expect_error("42501", "select tenant.drop_limit('acme', 'weight')").await;
    db.app().await.expect_error("42501", "select * from tenant.limit_state").await;
}

#[tokio::test]
async fn the_tenants_own_before_its_plans() {
    let db = database("limits_of_plans").await;
    let admin = db.admin().await;
    admin
        .run(
            "select tenant.define_plan('free'); select tenant.create('acme'), tenant.set_plan('acme', 'free');
             select tenant.set_plan_limit('free', 'transactions_per_second', 10, 8, 20);
             select tenant.set_plan_limit('free', 'weight', 50); select tenant.set_limit('acme', 'weight', 200)",
        )
        .await;
    let state = "select name, hard, soft, burst, source from tenant.limit_state order by name";
    let row = |name: &str, rest: [Option<&str>; 4]| {
        [Some(name)].into_iter().chain(rest).map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    let pace = row("transactions_per_second", [Some("10"), Some("8"), Some("20"), Some("plan")]);
    let own = row("weight", [Some("200"), None, None, Some("tenant")]);
    assert_eq!(admin.rows(state).await, [pace.clone(), own]);
    assert_eq!(admin.value("select tenant.drop_limit('acme', 'weight')").await.as_deref(), Some("t"));
    assert_eq!(admin.value("select tenant.drop_limit('acme', 'weight')").await.as_deref(), Some("f"));
    let plans = row("weight", [Some("50"), None, None, Some("plan")]);
    assert_eq!(admin.rows(state).await, [pace, plans]);
    assert_eq!(admin.value("select tenant.drop_plan_limit('free', 'weight')").await.as_deref(), Some("t"));
    let told = "select string_agg(action, ' ' order by id) from tenant.journal where action like '%limit%'";
    let said = db.superuser().await.value(told).await;
    assert_eq!(said.as_deref(), Some("set_plan_limit set_plan_limit set_limits set_limits drop_plan_limit"));
}

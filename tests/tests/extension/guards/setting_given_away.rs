//! No grant and no stored setting lets sessions choose their own tenant, or turn the guards off.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn a_grant_lets_a_role_choose_its_tenant() {
    let db = shop("grants").await;
    let (boss, app) = (db.superuser().await, &db.roles.app);
    for setting in
        ["pg_tenant.id", "pg_tenant.guards", "pg_tenant.strict", "pg_tenant.require_registered", "PG_TENANT.ID"]
    {
        let refused = boss.expect_error("TN035", &format!("grant set on parameter {setting} to {app}")).await; // TN035
        assert!(refused.hint().is_some() && refused.detail().is_some(), "{refused:?}");
        boss.expect_error("TN035", &format!("grant alter system on parameter {setting} to {app}")).await;
        boss.expect_error("TN035", &format!("grant all on parameter work_mem, {setting} to {app}")).await;
        boss.run(&format!("revoke all on parameter {setting} from {app}")).await;
    }
    db.app().await.expect_error("42501", &format!("set pg_tenant.id = '{A}'")).await;
    // The neighbours.
    boss.run(&format!(
        "grant set on parameter log_min_messages to {app}; revoke all on parameter log_min_messages from {app}"
    ))
    .await;
    boss.run(&format!(
        "begin; set local pg_tenant.guards = off; grant set on parameter pg_tenant.strict to {app}; rollback"
    ))
    .await;
}

#[tokio::test]
async fn a_stored_setting_puts_sessions_into_a_tenant() {
    let db = shop("stored").await;
    let (boss, app, name) = (db.superuser().await, &db.roles.app, &db.name);
    for store in [
        format!("alter role all set pg_tenant.id = '{A}'"),
        format!("alter user all set \"PG_Tenant.Id\" = '{A}'"),
        format!("alter database {name} set pg_tenant.id to '{A}'"),
    ] {
        let answer = boss.batch_execute(&store).await.expect_err(&store);
        let refused = answer.as_db_error().expect("a refusal by the server");
        assert_eq!(refused.code().code(), "TN035", "{store}: {refused:?}"); // TN035
    }
    assert_eq!(db.app().await.value("select tenant.current_id()").await, None);
    // For one role it is what bind_role stores, and what pg_dumpall writes: a superuser may, nobody else can.
    let store = format!("alter role {app} set pg_tenant.id = '{A}'");
    for role in [app, &db.roles.owner, &db.roles.admin] {
        db.connect(role).await.expect_error("42501", &store).await;
    }
    boss.run(&store).await;
    // The neighbours: taking it away, and other settings.
    boss.run(&format!("alter role {app} reset pg_tenant.id; alter database {name} reset pg_tenant.id")).await;
    boss.run(&format!("alter role {app} set work_mem = '4MB'; alter role {app} reset all")).await;
    boss.run(&format!("alter role {app} set pg_tenant.strict = log; alter role {app} reset pg_tenant.strict")).await;
}

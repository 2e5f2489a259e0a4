//! `bind_role` binds no role that the binding could not hold, and only who may binds roles.

use pg_tenant_tests::shop::{A, shop};

/// Made for each: `{r}` is the role's name, `{o}` another's. The part of DETAIL that says why.
const NOT_BINDABLE: &[(&str, &str)] = &[
    ("", "no such role"),
    ("create role {r} login superuser", "superuser"),
    ("create role {r} login bypassrls", "BYPASSRLS"),
    ("create role {r} login createrole", "CREATEROLE"),
    ("create role {r} login replication", "REPLICATION"),
    ("create role {r}; grant tenant_user to {r}", "cannot log in"),
    ("create role {r} login", "not a member of tenant_user"),
    ("create role {r} login; grant tenant_user, tenant_admin to {r}", "tenant_admin"),
    ("create role {r} login; grant tenant_user, tenant_system to {r}", "tenant_system"),
    ("create role {r} login; grant tenant_user, pg_read_server_files to {r}", "pg_read_server_files"),
    ("create role {r} login; grant tenant_user, pg_execute_server_program to {r}", "pg_execute_server_program"),
    ("create role {r} login; create role {o} superuser; grant tenant_user, {o} to {r}", "policies do not apply"),
    ("create role {r} login; grant tenant_user, pg_read_all_data to {r}", "reads every relation"),
    ("create role {r} login; grant tenant_user, pg_write_all_data to {r}", "writes every relation"),
    ("create role {r} login; grant tenant_user, pg_maintain to {r}", "pg_maintain"),
    ("create role {r} login; grant tenant_user, pg_monitor to {r}", "pg_monitor"),
    ("create role {r} login; grant tenant_user, pg_read_all_stats to {r}", "pg_read_all_stats"),
    ("create role {r} login; grant tenant_user, pg_stat_scan_tables to {r}", "pg_stat_scan_tables"),
    ("create role {r} login; grant tenant_user, pg_signal_backend to {r}", "pg_signal_backend"),
    ("create role {r} login; grant tenant_user, pg_create_subscription to {r}", "pg_create_subscription"),
    (
        "create role {r} login; create role {o} in role pg_read_all_data; grant tenant_user, {o} to {r}",
        "pg_read_all_data",
    ),
    ("create role {r} login; grant tenant_user to {r}; alter database {db} owner to {r}", "owns the database"),
    (
        "create role {r} login noinherit; create role {o} bypassrls; grant tenant_user, {o} to {r}",
        "policies do not apply",
    ),
    ("create role {r} login; create role {o} createrole; grant tenant_user, {o} to {r}", "can create roles"),
    ("create role {r} login; create role {o}; grant tenant_user to {r}; grant {r} to {o}", "is a member of it"),
];

/// Predefined roles, and since when there are.
const ABSENT: &[(&str, u32)] = &[("pg_maintain", 17), ("pg_create_subscription", 16)];

#[tokio::test]
async fn though_it_would_not_be_held() {
    let db = shop("unbindable").await;
    let (superuser, admin) = (db.superuser().await, db.admin().await);
    for (n, (make, why)) in NOT_BINDABLE.iter().enumerate() {
        let (r, o) = (format!("regress_{}_r{n}", db.name), format!("regress_{}_o{n}", db.name));
        let install = db.cluster().install();
        if ABSENT.iter().any(|(role, since)| make.contains(role) && install.is_before(*since, role)) {
            continue;
        }
        superuser.run(&make.replace("{r}", &r).replace("{o}", &o).replace("{db}", &db.name)).await;
        let error = admin.expect_error("TN040", &format!("select tenant.bind_role('{r}', '{A}')")).await;
        assert!(error.detail().is_some_and(|d| d.contains(why)), "{make}: {error:?}");
        assert!(error.hint().is_some(), "{make}: {error:?}");
    }
    admin.expect_error("TN040", &format!("select tenant.bind_role('postgres', '{A}')")).await;
    let app = &db.roles.app;
    admin.expect_error("TN002", &format!("select tenant.bind_role('{app}', 'nobody')")).await;
    admin.expect_error("TN004", &format!("select tenant.bind_role('{app}', 'a b')")).await;
    admin
        .expect_error("TN004", &format!("select tenant.bind_role('{app}', 'x''; alter role postgres nologin; --')"))
        .await;
    admin.expect_error("TN040", &format!("select tenant.bind_role('x\"; drop role {app}; --', '{A}')")).await;
    admin.expect_error("TN040", &format!("select tenant.unbind_role('{app}')")).await;
    let bound = format!("select * from tenant.bound_roles where role like 'regress_{}%'", db.name);
    assert_eq!(admin.rows(&bound).await.len(), 0);
}

#[tokio::test]
async fn or_is_refused_though_it_would_be_held() {
    let db = shop("bindable").await;
    let (superuser, admin) = (db.superuser().await, db.admin().await);
    for (n, role) in ["pg_read_all_settings", "pg_checkpoint"].iter().enumerate() {
        let r = format!("regress_{}_r{n}", db.name);
        superuser.run(&format!("create role {r} login; grant tenant_user, {role} to {r}")).await;
        admin.run(&format!("select tenant.bind_role('{r}', '{A}')")).await;
    }
}

#[tokio::test]
async fn by_setting_what_bind_role_sets() {
    let db = shop("stored").await;
    let (app, owner, admin, superuser) = (&db.roles.app, db.owner().await, db.admin().await, db.superuser().await);
    // The naive way: a right on the setting is a right on every tenant. Refused to superusers too.
    for grant in [
        format!("grant set on parameter pg_tenant.id to {app}"),
        format!("grant all on parameter PG_TENANT.ID to {app}"),
        format!("grant alter system on parameter work_mem, pg_tenant.strict to {app}"),
        format!("grant set on parameter pg_tenant.guards to {app}"),
        format!("alter database {} set pg_tenant.id = '{A}'", db.name),
        format!("alter role all set pg_tenant.id = '{A}'"),
        format!("alter role all in database {} set pg_tenant.id = '{A}'", db.name),
    ] {
        superuser.expect_error("TN035", &grant).await;
    }
    for session in [&owner, &admin, &db.app().await] {
        session.expect_error("42501", &format!("alter role {app} set pg_tenant.id = '{A}'")).await;
    }
    superuser
        .run(&format!("grant set on parameter work_mem to {app}; revoke set on parameter work_mem from {app}"))
        .await;
    superuser.expect_error("42602", &format!("alter database {} set pg_tenant.misspelt = 'x'", db.name)).await;
    // Stock: the same for a setting of one's own, after which a session chooses.
    superuser
        .run(&format!("grant set on parameter app.tenant to {app}; alter role {app} set app.tenant = '{A}'"))
        .await;
    assert_eq!(db.app().await.value("select count(*) from stock_orders").await.as_deref(), Some("3"));
    superuser.run(&format!("revoke all on parameter app.tenant from {app}")).await;
}

#[tokio::test]
async fn and_is_told_apart() {
    let db = shop("listed").await;
    let (admin, app) = (db.admin().await, &db.roles.app);
    admin.run(&format!("select tenant.bind_role('{app}', '{}')", A.to_uppercase())).await;
    let notice = admin.notices().pop().expect("a notice");
    assert!(notice.message().contains("from its next login"), "{notice:?}");
    assert_eq!(
        admin.rows(&format!("select role, tenant_id from tenant.bound_roles where role = '{app}'")).await,
        [[Some(app.clone()), Some(A.into())]]
    );
    // Who has been made a superuser since is none of the tenant's: its statements are refused.
    db.superuser().await.run(&format!("alter role {app} bypassrls")).await;
    db.app().await.expect_error("TN011", "table orders").await;
    db.superuser().await.run(&format!("alter role {app} nobypassrls")).await;
    admin.run(&format!("select tenant.unbind_role('{app}')")).await;
    db.app().await.expect_error("TN001", "table orders").await;
}

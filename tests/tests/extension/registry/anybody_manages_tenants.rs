//! Only members of `tenant_admin` create, change and list tenants.

use pg_tenant_tests::shop::{A, B, shop};

/// What only an administrator may do.
const MANAGING: &[&str] = &[
    "select tenant.create('new')",
    "select tenant.create('{a}'::uuid)",
    "select tenant.create(7)",
    "select tenant.suspend('{a}')",
    "select tenant.resume('{a}')",
    "select tenant.set_limits('{a}', read_only => true)",
    "select tenant_internal.require_known('{a}')",
    "select tenant.bind_role('postgres', '{a}')",
    "select tenant.unbind_role('postgres')",
    "select tenant_internal.fence_policy('orders')",
    "select tenant_internal.fence_column('orders')",
    "select * from tenant.tenants",
    "select * from tenant.journal",
    "select * from tenant.bound_roles",
    "select * from tenant.shared",
    "select * from tenant.protected_tables",
    "insert into tenant.tenants (id) values ('new')",
    "update tenant.tenants set status = 'active'",
    "delete from tenant.tenants",
    "truncate tenant.tenants",
    "create table public.mine (like tenant.tenants)",
    "create trigger t after insert on tenant.tenants execute function suppress_redundant_updates_trigger()",
    "alter table tenant.tenants disable trigger registry_changed",
    "drop table tenant.tenants",
    "create table tenant.mine (n int)",
    "drop extension pg_tenant cascade",
    "alter extension pg_tenant drop table tenant.tenants",
];

#[tokio::test]
async fn without_being_an_administrator() {
    let db = shop("managing").await;
    for session in [db.app().await, db.bystander().await] {
        for sql in MANAGING {
            session.expect_error("42501", &sql.replace("{a}", A)).await;
            session.run("rollback").await;
        }
    }
}

/// What an administrator of tenants may not do either: it is the superuser's.
#[tokio::test]
async fn beyond_what_an_administrator_may() {
    let db = shop("beyond").await;
    let admin = db.admin().await;
    for sql in [
        "delete from tenant.tenants",
        "truncate tenant.tenants",
        "update tenant.tenants set id = 'x'",
        "update tenant.tenants set created_at = now()",
        "insert into tenant.tenants (id, status_since) values ('x', now())",
        "update tenant.tenants set status_since = now()",
        "alter table tenant.tenants disable trigger registry_changed",
        "set session_replication_role = replica",
        "select tenant.enter('{a}')",
        "select * from public.orders",
        "select tenant_internal.registry_changed()",
        "select tenant_internal.stamp_change()",
    ] {
        admin.expect_error("42501", &sql.replace("{a}", A)).await;
    }
    admin.expect_error("TN133", "update tenant.tenants set status = 'open'").await;
    admin.expect_error("23514", "update tenant.tenants set settings = '[]'").await;
    admin
        .expect_error("23514", "insert into tenant.tenants (id) values ('AAAAAAAA-0000-4000-8000-00000000000C')")
        .await;
    admin.expect_error("TN004", "insert into tenant.tenants (id) values ('a b')").await;
}

#[tokio::test]
async fn but_an_administrator_does() {
    let db = shop("admin").await;
    let admin = db.admin().await;
    let upper = "CCCCCCCC-0000-4000-8000-00000000000C";
    let created = format!(
        "select tenant.create('{upper}', name => 'C', slug => 'c', plan => 'free', settings => '{{\"x\": 1}}')"
    );
    admin.run("select tenant.declare_setting('x', 'integer')").await;
    assert_eq!(admin.value(&created).await, Some(upper.to_lowercase()));
    assert_eq!(admin.value("select tenant.create(7)").await.as_deref(), Some("7"));
    assert_eq!(
        admin.value("select tenant.create('dddddddd-0000-4000-8000-00000000000d'::uuid)").await.unwrap().len(),
        36
    );
    let keys = "select coalesce(uuid_id::text, '-') || ' ' || coalesce(bigint_id::text, '-') from tenant.tenants where slug = 'c' or id = '7' order by id";
    let keys: Vec<_> = admin.rows(keys).await.into_iter().flatten().flatten().collect();
    assert_eq!(keys, ["- 7".to_owned(), format!("{} -", upper.to_lowercase())]);

    for duplicate in [
        format!("select tenant.create('{A}')"),
        format!("select tenant.create('{}')", A.to_uppercase()),
        format!("select tenant.create('{A}'::uuid)"),
        "select tenant.create(7)".into(),
        "select tenant.create('other', slug => 'a')".into(),
    ] {
        let error = admin.expect_error("TN050", &duplicate).await;
        assert!(error.detail().is_some() && error.hint().is_some(), "{duplicate}: {error:?}");
    }
    for unknown in ["suspend('x')", "resume('x')", "set_limits('x')"] {
        admin.expect_error("TN002", &format!("select tenant.{unknown}")).await;
    }
    for malformed in ["suspend('a b')", "resume('')", "set_limits('a b')", "canonical_id('a b')"] {
        admin.expect_error("TN004", &format!("select tenant.{malformed}")).await;
    }
    let canonical = format!("select tenant.canonical_id('{upper}')");
    assert_eq!(db.app().await.value(&canonical).await, Some(upper.to_lowercase()));
    assert_eq!(db.app().await.value("select tenant.version()").await.as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

/// An administrator sees what is protected without a right on the tables.
#[tokio::test]
async fn or_sees_what_is_protected() {
    let db = shop("fences").await;
    let admin = db.admin().await;
    let fence = "select polname from pg_policy where oid = tenant_internal.fence_policy('orders')";
    assert_eq!(admin.value(fence).await.as_deref(), Some("tenant_isolation"));
    assert_eq!(admin.value("select tenant_internal.fence_column('orders')").await.as_deref(), Some("1"));
    for none in
        ["fence_policy('stock_orders')", "fence_column('stock_orders')", "fence_policy(null)", "fence_column(0)"]
    {
        assert_eq!(admin.value(&format!("select tenant_internal.{none}")).await, None, "{none}");
    }
}

/// Tables of the application refer to the registry by the type that their tenant column has.
#[tokio::test]
async fn so_that_rows_belong_to_no_tenant() {
    let db = shop("keys").await;
    db.admin().await.run("select tenant.create(7), tenant.create(8)").await;
    let owner = db.owner().await;
    owner.expect_error("42501", "create table t (tenant_id uuid references tenant.tenants (uuid_id))").await;
    let grant =
        format!("grant usage on schema tenant to {0}; grant references on tenant.tenants to {0}", db.roles.owner);
    db.superuser().await.run(&grant).await;
    owner
        .run(&format!(
            "create table u (tenant_id uuid references tenant.tenants (uuid_id), n int);
             create table b (tenant_id bigint references tenant.tenants (bigint_id), n int);
             create table t (tenant_id text collate \"C\" references tenant.tenants, n int);
             insert into u values ('{A}', 1), ('{B}', 2); insert into b values (7, 1), (8, 2); insert into t values ('7', 1)"
        ))
        .await;
    db.superuser().await.run("select tenant.protect(t) from unnest('{u,b,t}'::regclass[]) t").await;
    let app = db.app().await;
    app.inside(A, "insert into u (n) values (3)").await;
    app.inside("7", "insert into b (n) values (3); insert into t (n) values (3)").await;
    owner.expect_error("TN001", "insert into u values ('eeeeeeee-0000-4000-8000-00000000000e')").await;
    db.superuser().await.expect_error("23503", "insert into u values ('eeeeeeee-0000-4000-8000-00000000000e')").await;
    db.superuser().await.expect_error("TN052", "delete from tenant.tenants where id = '7'").await;
}

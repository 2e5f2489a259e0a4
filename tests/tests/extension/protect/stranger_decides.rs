//! Who may decide how a table is protected: its owner, and only with `tenant_admin`.

use super::fixture::{stage, table};
use pg_tenant_tests::database;

const CALLS: [&str; 5] = [
    "select tenant.protect('orders')",
    "select tenant.unprotect('orders', 'why not')",
    "select tenant.share('orders', 'why not')",
    "select tenant.unshare('orders', 'why not')",
    "select tenant.protect_schema('public', stop_on_error => true)",
];

#[tokio::test]
async fn an_owner_without_tenant_admin_protects() {
    let db = database("not_admin").await;
    let owner = db.owner().await;
    owner.run(&table("orders")).await;
    for call in CALLS {
        owner.expect_error("42501", call).await;
        db.app().await.expect_error("42501", call).await;
        db.bystander().await.expect_error("42501", call).await;
    }
}

#[tokio::test]
async fn an_administrator_protects_a_table_of_others() {
    let (db, owner) = stage("not_owner").await;
    owner.run(&table("orders")).await;
    let admin = db.admin().await;
    for call in CALLS {
        let refused = admin.expect_error("42501", call).await;
        assert!(refused.message().starts_with("must be owner of table"), "{refused:?}");
    }
    owner.run("select tenant.protect('orders')").await;
    admin.expect_error("42501", "select tenant.unprotect('orders', 'why not')").await;
    // A member of the owner is one: the usual way to give it to an administrator.
    db.superuser().await.run(&format!("grant {} to {}", db.roles.owner, db.roles.admin)).await;
    admin.run("select tenant.unprotect('orders', 'moving it'); select tenant.protect('orders')").await;
}

#[tokio::test]
async fn the_parts_are_called_one_by_one() {
    let (db, owner) = stage("parts_called").await;
    owner.run(&(table("orders") + "select tenant.protect('orders')")).await;
    // These run with the caller's rights and with the guards on: they do what the caller could do anyway.
    owner.expect_error("42501", "select tenant_internal.remove_protection('orders', 'x')").await;
    owner.expect_error("42501", "select tenant_internal.apply_protection('orders', 'id', false, false, false)").await;
    owner.expect_error("TN030", "select tenant_internal.unfence('orders')").await;
    db.admin().await.expect_error("42501", "select tenant_internal.fence('orders', 'id', 'true', false)").await;
    owner.expect_error("42501", "set pg_tenant.guards = off").await;
    owner.expect_error("42501", "select set_config('pg_tenant.guards', 'off', false)").await;
}

/// The comment of the tenant policy keeps the default that unprotect gives back, and the owner may write any.
#[tokio::test]
async fn a_superuser_runs_what_the_owner_wrote() {
    let (db, owner) = stage("comment").await;
    owner.run(&table("orders")).await;
    let boss = db.superuser().await;
    let is_superuser = format!("select rolsuper::text from pg_roles where rolname = '{}'", db.roles.owner);
    for default in
        [format!("null; alter role {} superuser", db.roles.owner), format!("null, owner to {}", db.roles.admin)]
    {
        owner.run("select tenant.protect('orders')").await;
        let before = format!(r#"Before: {{"default": "{default}"}}"#);
        owner.run(&format!("comment on policy tenant_isolation on orders is '{before}'")).await;
        boss.run("select tenant.unprotect('orders', 'a superuser tidies up')").await;
        assert_eq!(boss.value(&is_superuser).await.as_deref(), Some("false"), "{default}");
        let theirs = "select relowner::regrole::text from pg_class where oid = 'orders'::regclass";
        assert_eq!(boss.value(theirs).await, Some(db.roles.owner.clone()), "{default}");
    }
    assert!(boss.notices().iter().any(|notice| notice.message().contains("had another default")));
    // What is no JSON is nothing.
    owner.run("select tenant.protect('orders'); comment on policy tenant_isolation on orders is 'Before: {x}'").await;
    owner.run("select tenant.unprotect('orders', 'leaving')").await;
}

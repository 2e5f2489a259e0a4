//! Who may decide how a table is protected: its owner, and only with `tenant_admin`.

use crate::fixture::{stage, table};
use pg_tenant_tests::database;

const CALLS: [&str; 5] = [
    "select tenant.protect('orders')",
    "select tenant.unprotect('orders', 'why not')",
    "select tenant.share('orders', 'why not')",
    "select tenant.unshare('orders', 'why not')",
    "select tenant.protect_schema('public')",
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
    owner.expect_error("42501", "select tenant.remove_protection('orders', 'x')").await;
    owner.expect_error("42501", "select tenant.apply_protection('orders', 'id')").await;
    owner.expect_error("TN030", "select tenant.unfence('orders', '{}')").await;
    db.admin().await.expect_error("42501", "select tenant.fence('orders', 'id', 'true')").await;
    owner.expect_error("42501", "set pg_tenant.guards = off").await;
    owner.expect_error("42501", "select set_config('pg_tenant.guards', 'off', false)").await;
}

#[tokio::test]
async fn the_journal_runs_what_an_administrator_wrote_in_it() {
    let (db, owner) = stage("journal").await;
    owner.run(&table("orders")).await;
    let plant = |default: &str| {
        format!(
            "insert into tenant.journal (action, object, detail) values ('protect', 'public.orders',
                jsonb_build_object('before', jsonb_build_object('public.orders', jsonb_build_object('default', $${default}$$))))"
        )
    };
    let admin = db.admin().await;
    let boss = db.superuser().await;
    let is_superuser = format!("select rolsuper::text from pg_roles where rolname = '{}'", db.roles.admin);
    for default in [
        format!("null; alter role {} superuser", db.roles.admin),
        format!("null) ; alter role {} superuser; select (1", db.roles.admin),
        format!("null, owner to {}", db.roles.admin),
    ] {
        // Written by an administrator, or by the owner: neither makes a superuser do it.
        for writer in [&admin, &owner] {
            writer.run(&plant(&default)).await; // before protect writes what it finds: the first one counts
            owner.run("select tenant.protect('orders')").await;
            boss.run("select tenant.unprotect('orders', 'a superuser tidies up')").await;
            assert_eq!(boss.value(&is_superuser).await.as_deref(), Some("false"), "{default}");
            let theirs = format!(
                "select pg_has_role('{}', relowner, 'usage')::text from pg_class where oid = 'orders'::regclass",
                db.roles.admin
            );
            assert_eq!(boss.value(&theirs).await.as_deref(), Some("false"), "{default}");
        }
    }
    assert!(boss.notices().iter().any(|notice| notice.message().contains("does not get its default back")));
}

//! `tenant.unprotect` gives back what protect found, needs a reason, and is in the journal.

use super::fixture::{A, catalog, stage, table, text};

/// A default is given back by the one who is told of it.
async fn run_hints(owner: &pg_tenant_tests::Session) {
    for notice in owner.notices().iter().filter(|notice| notice.message().contains("had another default")) {
        let remedy = notice.hint().expect("a remedy");
        assert!(!remedy.contains("tenant.current_"), "protect's own: {remedy}");
        owner.run(remedy).await;
    }
}

#[tokio::test]
async fn what_the_table_had_is_kept() {
    let (db, owner) = stage("gives_back").await;
    owner
        .run(&format!(
            "create table plain (tenant_id uuid not null, id int);
             create index on plain (tenant_id);
             create table defaulted (tenant_id uuid not null default '{A}', id int);
             create index on defaulted (tenant_id);
             create table guarded (tenant_id uuid not null default gen_random_uuid(), id int);
             create index on guarded (tenant_id);
             alter table guarded enable row level security;
             create policy own on guarded to {0} using (id > 0);
             create policy narrow on guarded as restrictive using (id < 10);
             create table named (tenant_id int not null default (17 % 5), id int);
             create index on named (tenant_id);
             alter table named enable row level security, force row level security;
             create policy tenant_access on named using (id > 0);",
            db.roles.app
        ))
        .await;
    for table in ["plain", "defaulted", "guarded", "named"] {
        let before = catalog(&owner, table).await;
        owner.run(&format!("select tenant.protect('{table}')")).await;
        assert_ne!(catalog(&owner, table).await, before, "{table}");
        owner.run(&format!("select tenant.protect('{table}')")).await; // twice: the second call finds its own work
        owner.run(&format!("select tenant.unprotect('{table}', 'leaving')")).await;
        run_hints(&owner).await;
        assert_eq!(catalog(&owner, table).await, before, "{table}");
    }
}

#[tokio::test]
async fn a_partition_made_later_makes_it_forget_the_others() {
    let (_db, owner) = stage("gives_back_parts").await;
    owner
        .run(&format!(
            "create table orders (tenant_id uuid not null default '{A}', id int) partition by range (id);
             create table orders_1 partition of orders for values from (0) to (10);
             alter table orders_1 alter tenant_id set default gen_random_uuid();
             create index on orders (tenant_id);"
        ))
        .await;
    let before = catalog(&owner, "orders,orders_1").await;
    owner.run("select tenant.protect('orders')").await;
    owner
        .run("create table orders_2 partition of orders for values from (10) to (20); select tenant.protect('orders')")
        .await;
    owner.run("select tenant.unprotect('orders', 'leaving')").await;
    run_hints(&owner).await;
    assert_eq!(catalog(&owner, "orders,orders_1").await, before);
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "0");
}

#[tokio::test]
async fn a_table_loses_its_protection_without_a_reason() {
    let (_db, owner) = stage("reason").await;
    owner.run(&(table("orders") + "select tenant.protect('orders')")).await;
    for reason in ["''", "'  '", "null"] {
        let refused = owner.expect_error("TN029", &format!("select tenant.unprotect('orders', {reason})")).await;
        assert!(refused.hint().is_some(), "{reason}");
    }
    owner.expect_error("TN001", "select * from orders").await; // still protected
    owner.run("select tenant.unprotect('orders', 'moved to another server')").await;
    assert_eq!(text(&owner, "select count(*) from orders").await, "2");
    let refused = owner.expect_error("TN028", "select tenant.unprotect('orders', 'again')").await;
    owner.run(refused.hint().expect("a hint").split(';').next().expect("SQL")).await;
}

#[tokio::test]
async fn the_journal_says_who_and_why() {
    let (db, owner) = stage("journal_kept").await;
    owner.run(&(table("orders") + "select tenant.protect('orders')")).await;
    owner.run("select tenant.unprotect('orders', 'moved to another server')").await;
    let line = "select concat_ws(' ', action, object, reason, role = current_user, session_role = session_user)
        from tenant.journal where action like '%protect' order by id desc limit 1";
    assert_eq!(text(&owner, line).await, "unprotect public.orders moved to another server t t");
    // Appended to, and nothing more; nobody signs for another.
    for sql in [
        "delete from tenant.journal",
        "update tenant.journal set reason = 'none'",
        "truncate tenant.journal",
        "insert into tenant.journal (action, object, role) values ('protect', 'x', 'postgres')",
        "insert into tenant.journal (action, object, at) values ('protect', 'x', '2000-01-01')",
    ] {
        owner.expect_error("42501", sql).await;
        db.app().await.expect_error("42501", sql).await;
    }
}

#[tokio::test]
async fn a_shared_table_is_an_accident() {
    let (db, owner) = stage("shared").await;
    owner.run(&(table("countries") + &table("orders") + "select tenant.protect('orders')")).await;
    owner.expect_error("TN029", "select tenant.share('countries', ' ')").await;
    owner.expect_error("TN029", "select tenant.share('countries', null)").await;
    owner.expect_error("TN028", "select tenant.unshare('countries', 'it never was')").await;
    owner.expect_error("TN025", "select tenant.share('orders', 'it is protected')").await;
    owner
        .run("select tenant.share('countries', 'lookup'); select tenant.share('countries', 'the same for everyone')")
        .await;
    assert_eq!(
        text(&owner, "select relation || ' ' || reason from tenant.shared").await,
        "countries the same for everyone"
    );
    // It grants nothing.
    db.superuser().await.run(&format!("revoke all on countries from {}", db.roles.app)).await;
    db.app().await.expect_error("42501", "select * from countries").await;
    // Protecting it ends the sharing.
    owner.run("select tenant.protect('countries')").await;
    assert_eq!(text(&owner, "select count(*) from tenant.shared").await, "0");
    owner.run("create table seas (name text); select tenant.share('seas', 'lookup'); select tenant.unshare('seas', 'tenants have seas now')").await;
    assert_eq!(
        text(
            &owner,
            "select string_agg(action, ' ' order by id) from tenant.journal where object like '%s'
            and action like '%share'"
        )
        .await,
        "share share unshare share unshare"
    );
}

#[tokio::test]
async fn a_table_gets_what_another_of_its_name_had() {
    let (_db, owner) = stage("same_name").await;
    let had = format!(
        "create table orders (tenant_id uuid not null default '{A}', id int); create index on orders (tenant_id);
         alter table orders force row level security;"
    );
    owner.run(&(had + "select tenant.protect('orders'); drop table orders")).await;
    owner.run("create table orders (tenant_id uuid not null, id int); create index on orders (tenant_id)").await;
    let before = catalog(&owner, "orders").await;
    owner.run("select tenant.protect('orders'); select tenant.unprotect('orders', 'leaving')").await;
    assert_eq!(catalog(&owner, "orders").await, before);
    // And one that was renamed gets its own.
    owner.run("alter table orders force row level security, alter tenant_id set default gen_random_uuid()").await;
    let before = catalog(&owner, "orders").await;
    owner.run("select tenant.protect('orders'); alter table orders rename to renamed").await;
    owner.run("select tenant.unprotect('renamed', 'leaving')").await;
    run_hints(&owner).await;
    owner.run("alter table renamed rename to orders").await;
    assert_eq!(catalog(&owner, "orders").await, before);
}

#[tokio::test]
async fn a_dropped_table_is_shared_no_more() {
    let (_db, owner) = stage("shared_gone").await;
    owner.run(&(table("countries") + "select tenant.share('countries', 'lookup'); drop table countries")).await;
    owner.run("select tenant.protect_schema('public')").await;
    assert_eq!(text(&owner, "select count(*) from tenant.shared").await, "0");
}

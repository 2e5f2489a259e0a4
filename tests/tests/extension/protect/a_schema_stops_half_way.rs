//! `tenant.protect_schema` goes on after a table that cannot be protected, takes none by the wrong column, and a dry
//! run changes nothing and foresees what is done.

use super::fixture::{catalog, stage, table, text};
use pg_tenant_tests::Session;

/// The rows of a call, as `table: result (SQLSTATE)`.
async fn said(session: &Session, call: &str) -> Vec<String> {
    let sql = format!("select concat(relation, ': ', result, ' (' || sqlstate || ')') from tenant.{call}");
    session.rows(&sql).await.into_iter().flatten().flatten().collect()
}

const SCHEMA: &str = "
    create table accounts (account uuid, id int);
    create table \"Bills\" (\"Company Id\" uuid, id int);
    create table events (company uuid, at int) partition by range (at);
    create table events_0 partition of events default;
    create table no_column (id int);
    create table nulls (tenant_id uuid, id int);
    create table of_type (tenant_id json);
    create table orders (tenant_id uuid, id int);
    insert into nulls values (null, 1);";

const MAPPING: &str =
    r#"columns => '{"accounts": "account", "Bills": "Company Id", "events": "company", "orders": "tenant_id"}'"#;

#[tokio::test]
async fn one_table_keeps_the_others_open() {
    let (db, owner) = stage("goes_on").await;
    owner.run(SCHEMA).await;
    db.superuser().await.run("create table of_others (tenant_id uuid)").await;
    let _ = owner.notices();
    let call = format!("protect_schema('public', {MAPPING})");
    let expected = [
        "\"Bills\": protected",
        "accounts: protected",
        "events: protected",
        "no_column: not protected: no column \"tenant_id\"",
        "nulls: not protected: column \"tenant_id\" of table public.nulls holds nulls (TN024)",
        "of_others: not protected: must be owner of table public.of_others (42501)",
        "of_type: not protected: column \"tenant_id\" of table public.of_type cannot hold the tenant (TN022)",
        "orders: protected",
    ];
    assert_eq!(said(&owner, &call).await, expected);
    let warned = owner.notices();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(
        (warned[0].code().code(), warned[0].message()),
        ("TN028", "3 of the tables of schema public could not be protected or hardened")
    );
    let hint = "select hint from tenant.protect_schema('public') where relation = 'nulls'::regclass";
    assert!(text(&owner, hint).await.starts_with("Give each row its tenant first: update public.nulls"));
    let app = db.app().await;
    for table in ["accounts", "\"Bills\"", "events", "events_0", "orders"] {
        app.expect_error("TN001", &format!("select * from {table}")).await;
    }
    // What was tried is undone: nothing is half fenced.
    assert_eq!(text(&app, "select count(*) from nulls").await, "1");
    let half = "select count(*) from pg_class where relname in ('nulls', 'of_type') and (relrowsecurity or relforcerowsecurity)";
    assert_eq!(text(&app, half).await, "0");
    // Told otherwise, it ends there and has done nothing.
    owner.run("create table also (tenant_id uuid)").await;
    owner
        .expect_error("TN024", &format!("select * from tenant.{}", call.replace(")", ", stop_on_error => true)")))
        .await;
    assert_eq!(text(&app, "select count(*) from also").await, "0");
    // An error that is no table's ends it as well.
    owner.run("begin read only").await;
    owner.expect_error("25006", "select * from tenant.protect_schema('public')").await;
    owner.run("rollback").await;
}

#[tokio::test]
async fn a_mapping_is_misread() {
    let (db, owner) = stage("mapping").await;
    owner.run(SCHEMA).await;
    for (code, columns, message) in [
        ("42P01", r#"{"order": "tenant_id"}"#, "schema public has no table \"order\" to protect"),
        ("42P01", r#"{"public.orders": "tenant_id"}"#, "schema public has no table \"public.orders\" to protect"),
        ("42P01", r#"{"events_0": "company"}"#, "schema public has no table \"events_0\" to protect"),
        ("22023", r#"{"orders": null}"#, "columns is no mapping of tables to columns"),
        ("22023", r#"{"orders": ["tenant_id"]}"#, "columns is no mapping of tables to columns"),
        ("22023", r#"["orders"]"#, "columns is no mapping of tables to columns"),
        ("22023", "null", "columns is no mapping of tables to columns"),
    ] {
        for call in ["select tenant.protect_schema", "call tenant.protect_schema_stepwise"] {
            let refused = owner.expect_error(code, &format!("{call}('public', columns => '{columns}')")).await;
            assert_eq!(refused.message(), message);
        }
    }
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "0");
    // A column that the mapping names and the table has not is no table without a tenant.
    let call =
        r#"protect_schema('public', columns => '{"no_column": "tenant_id"}') where relation = 'no_column'::regclass"#;
    assert_eq!(
        said(&owner, call).await,
        ["no_column: not protected: table public.no_column has no column \"tenant_id\" (TN021)"]
    );
    // Another column for one that is protected is said to be another one.
    let call = r#"protect_schema('public', columns => '{"orders": "id"}') where relation = 'orders'::regclass"#;
    assert_eq!(
        said(&owner, call).await,
        ["orders: not protected: table public.orders is protected already, by column \"tenant_id\" (TN025)"]
    );
    // What refers to a table that the mapping names is named.
    owner.run("create table roots (company uuid primary key); create table leaf (c uuid references roots)").await;
    let call = r#"protect_schema('public', columns => '{"roots": "company"}') where relation = 'leaf'::regclass"#;
    assert!(said(&owner, call).await[0].contains("it refers to public.roots: every tenant"));
    db.app().await.expect_error("42501", "select tenant.protect_schema('public', dry_run => true)").await;
}

#[tokio::test]
async fn a_dry_run_does_something() {
    let (db, owner) = stage("dry").await;
    owner.run(SCHEMA).await;
    owner.run(&(table("done") + "select tenant.protect('done')")).await;
    db.superuser().await.run("create table of_others (tenant_id uuid)").await;
    let tables = "accounts,\\\"Bills\\\",events,events_0,no_column,nulls,of_type,orders,done";
    let before = catalog(&owner, tables).await;
    let other = db.superuser().await;
    // Whoever reads and writes meanwhile is not held up.
    other.run("begin; insert into orders values (gen_random_uuid(), 1)").await;
    owner.run("set lock_timeout = '2s'; begin").await;
    let call = format!("protect_schema('public', {MAPPING}, dry_run => true)");
    let foreseen = said(&owner, &call).await;
    assert_eq!(
        foreseen,
        [
            "\"Bills\": would be protected by \"Company Id\"",
            "accounts: would be protected by \"account\"",
            "done: protected already",
            "events: would be protected by \"company\"",
            "no_column: not protected: no column \"tenant_id\"",
            "nulls: not protected: column \"tenant_id\" of table public.nulls holds nulls (TN024)",
            "of_others: not protected: must be owner of table public.of_others (42501)",
            "of_type: not protected: column \"tenant_id\" of table public.of_type cannot hold the tenant (TN022)",
            "orders: would be protected by \"tenant_id\"",
        ]
    );
    let statements =
        format!("select coalesce(array_to_string(statements, E'\\n'), '') from tenant.{call} where relation = ");
    assert_eq!(text(&owner, &format!("{statements} 'done'::regclass")).await, "");
    let events = text(&owner, &format!("{statements} 'events'::regclass")).await;
    for one in [
        "alter table public.events alter column company set not null",
        "alter table only public.events_0 alter column company set default tenant.current_uuid()",
        "create policy tenant_isolation on public.events as restrictive",
        "create index on public.events (company)",
    ] {
        assert!(events.contains(one), "{one}\n{events}");
    }
    let locks = "select count(*) from pg_locks where pid = pg_backend_pid() and mode not in ('AccessShareLock', 'ExclusiveLock')
        and relation in (select oid from pg_class where relnamespace = 'public'::regnamespace)";
    assert_eq!(text(&owner, locks).await, "0");
    owner.run("commit").await;
    other.run("rollback").await;
    assert_eq!(catalog(&owner, tables).await, before);
    let call_stepwise = format!("call tenant.protect_schema_stepwise('public', {MAPPING}, dry_run => true)");
    let _ = owner.notices();
    owner.run(&call_stepwise).await;
    let notices: Vec<_> = owner.notices().into_iter().map(|notice| notice.message().to_owned()).collect();
    assert!(
        notices[1].starts_with("accounts: would be protected by \"account\":\nalter table public.accounts"),
        "{notices:?}"
    );
    assert!(notices.iter().any(|n| n.ends_with("holds nulls (TN024)")), "{notices:?}");
    assert_eq!(catalog(&owner, tables).await, before);
    // What was foreseen is what is done.
    let done: Vec<_> = said(&owner, &format!("protect_schema('public', {MAPPING})")).await;
    for (foreseen, done) in foreseen.iter().zip(done) {
        let foreseen = foreseen.split(" by \"").next().unwrap_or_default().replace("would be protected", "protected");
        assert_eq!(foreseen, if done.contains("no column") { foreseen.clone() } else { done });
    }
}

#[tokio::test]
async fn a_step_that_fails_ends_the_steps() {
    let (db, owner) = stage("steps_go_on").await;
    owner.run(&(table("bills") + &table("orders") + "create table secrets (code text primary key)")).await;
    owner.run("insert into bills values (null, 3, 'of nobody')").await;
    let _ = owner.notices();
    owner.run("call tenant.protect_schema_stepwise('public', harden => true)").await;
    let said: Vec<_> = owner.notices().into_iter().map(|notice| notice.message().to_owned()).collect();
    let bills = "bills: not protected: column \"tenant_id\" of table public.bills holds nulls (TN024)";
    let secrets = "secrets: not protected: no column \"tenant_id\"";
    let left = "1 of the tables of schema public could not be protected or hardened";
    assert_eq!(said, [bills, "orders: protected", secrets, bills, "orders: hardened", secrets, left]);
    db.app().await.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn what_cannot_be_hardened_is_said() {
    let (_db, owner) = stage("hardens_on").await;
    owner
        .run(
            "create table p (tenant_id uuid, id int primary key);
             create table x (tenant_id uuid, at int4range, exclude using gist (at with &&));",
        )
        .await;
    assert_eq!(
        said(&owner, "protect_schema('public', harden => true)").await[1],
        "x: protected, not hardened: cannot harden public.x: x_at_excl cannot contain the tenant (TN085)"
    );
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "2");
    let key = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'p_pkey'";
    assert_eq!(text(&owner, key).await, "PRIMARY KEY (tenant_id, id)");
    let refused = owner
        .expect_error("TN085", "select tenant.protect_schema('public', harden => true, stop_on_error => true)")
        .await;
    assert_eq!(refused.hint(), Some("create extension btree_gist;"));
}

//! With `--dry-run` nothing changes, wherever the option stands.

use super::pgtenant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing() {
    let db = pg_tenant_tests::database("cli_dry").await;
    let superuser = db.superuser().await;
    let ann = format!("regress_{}_ann", db.name);
    superuser.run(&format!("select tenant.create('acme'); create role {ann} login in role tenant_support")).await;
    let owner = db.owner().await;
    owner.run("create table customers (tenant_id text not null, id bigint primary key)").await;
    owner.run("create table orders (tenant_id text not null, n int)").await;
    superuser.run("select tenant.protect('customers')").await;
    let look = "select concat_ws(', ', (select count(*) from tenant.impersonations),
            (select count(*) from tenant.protected_tables), (select count(*) from tenant.journal),
            (select string_agg(pg_get_constraintdef(oid), '; ') from pg_constraint where conrelid = 'public.customers'::regclass))";
    let before = superuser.value(look).await;
    let (support, all) = (db.url(&ann), db.url("postgres"));
    let ask = ["impersonate", "ask", &support, "acme", "--reason", "ticket 7"];
    for (args, status, says) in [
        (&ask[..], 0, "rolled back: support is asked for"),
        (&["doctor", &all, "--fix", "--yes"], 1, "would be run"),
        (&["harden", &all, "customers", "--all"], 0, "CREATE UNIQUE INDEX CONCURRENTLY"),
        (&["tenant", "create", "globex", "--url", &all], 0, "rolled back: tenant globex"),
        (&["protect", "orders", "--url", &all], 0, "rolled back: table orders"),
        (&["init", "--app", "regress_cli_dry_app", "--url", &all], 0, "rolled back: pg_tenant"),
    ] {
        for args in [[args, &["--dry-run"]].concat(), [&["--dry-run"], args].concat()] {
            let (exit, said) = pgtenant(&args);
            assert_eq!(exit, Some(status), "{args:?}: {said}");
            assert!(said.contains(says), "{args:?}: {said}");
            assert_eq!(superuser.value(look).await, before, "{args:?} changed something: {said}");
        }
    }
    let made = superuser.value("select count(*)::text from pg_roles where rolname = 'regress_cli_dry_app'").await;
    assert_eq!(made.as_deref(), Some("0"));
}

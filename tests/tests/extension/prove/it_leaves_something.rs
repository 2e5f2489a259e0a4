//! The proof leaves nothing: no rows, tenants, roles or settings, and no tenant that can be entered.

use super::fixture::shop;
use pg_tenant_tests::Session;

/// Every row of every table, the catalog's, and the session's settings. Roles of other tests come and go meanwhile.
async fn all(boss: &Session) -> Vec<Vec<Option<String>>> {
    let tables =
        "select relation::text from tenant.protected_tables union select 'countries' union select 'tenant.tenants'
        union select 'tenant.journal' union select 'tenant.shared' order by 1";
    let tables: Vec<_> = boss.rows(tables).await.into_iter().flatten().flatten().collect();
    assert!(tables.len() > 10, "{tables:?}");
    let rows = tables.iter().map(|table| format!("select '{table}', to_jsonb(t) from {table} t order by 2;"));
    let rest = "select count(*) from pg_roles where rolname like 'tenant\\_prove%';
        select count(*) from pg_class; select count(*) from pg_proc;
        select polrelid::regclass, polname, pg_get_expr(polqual, polrelid), obj_description(oid, 'pg_policy') from pg_policy order by 1, 2;
        select relname, relrowsecurity, relforcerowsecurity, relacl from pg_class where relnamespace = 'public'::regnamespace order by 1;
        select name, setting from pg_settings where name not like 'plpgsql.%' order by 1;
        select current_user, tenant.current_id(), (select count(*) from pg_prepared_statements)";
    boss.rows(&(rows.collect::<String>() + rest)).await
}

#[tokio::test]
async fn in_the_database_or_the_session() {
    let (_db, boss) = shop("leaves", true).await;
    let before = all(&boss).await;
    boss.run("select * from tenant.prove(mutate => true)").await;
    let after = all(&boss).await;
    let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert!(changed.is_empty() && before.len() == after.len(), "{changed:?}");
}

/// One transaction, one tenant: the seal holds after the proof has undone everything else.
#[tokio::test]
async fn a_tenant_that_can_be_entered() {
    let (_db, boss) = shop("sealed", true).await;
    boss.run("begin").await;
    let sealed = "select md5('tenant.prove a' || pg_current_xact_id()::text)::uuid";
    let first = boss.value(sealed).await.expect("an id");
    boss.run("select * from tenant.prove(); select * from tenant.prove()").await;
    boss.run("savepoint s").await;
    boss.expect_error("TN005", "select tenant.enter('cccccccc-0000-4000-8000-00000000000c')").await;
    boss.run("rollback to s").await;
    // The synthetic tenant is in no registry any more, nor in what the session remembers of it.
    boss.expect_error("TN002", &format!("select tenant.enter('{first}')")).await;
    boss.run("rollback").await;
    boss.expect_error("TN002", &format!("select tenant.enter('{first}')")).await;
    boss.run("select tenant.enter('cccccccc-0000-4000-8000-00000000000c')").await;
}

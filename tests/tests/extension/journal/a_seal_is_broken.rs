//! The journal is not as it was sealed, and `verify_journal` does not say so.

use std::collections::BTreeSet;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Cluster, Database, Options};

use super::seal;

/// Three sealings: lines of both tenants and of the operators in each.
async fn sealed(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let boss = db.superuser().await;
    for n in 0..3 {
        boss.run(&format!(
            "select tenant_internal.write_journal('noted', 'line ' || i || ' of {n}', 'why', '{{\"b\": 1.50, \"a\": [\"\u{e9}\", null]}}', t)
                from unnest('{{{A},{B},null}}'::text[]) t, generate_series(1, 3) i"
        ))
        .await;
        seal(&boss).await;
    }
    db
}

const FAULTS: &str = "select string_agg(concat_ws(' ', problem, left(tenant_id, 1)), ', ' order by problem, tenant_id) from tenant.verify_journal";

#[tokio::test]
async fn by_a_superuser() {
    let db = sealed("seal_broken").await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    assert_eq!(admin.value(&format!("{FAULTS}()")).await, None, "as it was sealed");
    assert_eq!(admin.value("select count(*) from tenant.journal_sealings").await.as_deref(), Some("3"));
    let of_a = format!("tenant_id = '{A}'");
    // What is done to it, what is found, and whether that is found in the verification of A alone.
    let cases = [
        ("update tenant.journal set reason = 'another' where {a} and object = 'line 2 of 1'", "changed a", true),
        (
            "update tenant.journal set detail = detail || '{\"b\": 1.5}' where {a} and object = 'line 2 of 1'",
            "changed a",
            true,
        ),
        (
            "update tenant.journal set at = at + interval '1 microsecond' where {a} and object = 'line 1 of 0'",
            "changed a",
            true,
        ),
        (
            "update tenant.journal set actor = 'somebody' where tenant_id is null and object = 'line 1 of 2'",
            "changed",
            false,
        ),
        ("delete from tenant.journal where {a} and object = 'line 2 of 1'", "removed a", true),
        ("delete from tenant.journal where {a} and object like 'line % of 1'", "removed a", true),
        (
            "insert into tenant.journal (action, object, tenant_id, xid8)
                select action, object, tenant_id, xid8 from tenant.journal where {a} and object = 'line 2 of 1'",
            "inserted a",
            true,
        ),
        // Of a tenant that has no seal there.
        (
            "insert into tenant.journal (action, object, tenant_id, xid8)
                select action, object, 'x', xid8 from tenant.journal where {a} and object = 'line 2 of 1'",
            "inserted x",
            false,
        ),
        (
            "update tenant.journal set tenant_id = '{b}' where {a} and object = 'line 2 of 1'",
            "inserted b, removed a",
            true,
        ),
        ("delete from tenant.journal_seals where {a} and number = 2", "inserted a, seal missing, seal missing a", true),
        ("delete from tenant.journal_seals where {a} and number = 3", "inserted a, seal missing", true),
        (
            "delete from tenant.journal where {a} and object like 'line % of 2'; delete from tenant.journal_seals where {a} and number = 3",
            "seal missing",
            false,
        ),
        ("update tenant.journal_seals set lines = 2 where {a} and number = 3", "inserted a", true),
        (
            "update tenant.journal_seals set digest = sha256('x') where {a} and number = 3",
            "changed a, seal changed",
            true,
        ),
        (
            "delete from tenant.journal_sealings where number = 3",
            "sealing missing, sealing missing a, sealing missing b",
            true,
        ),
        (
            "update tenant.journal_sealings set sealed_at = sealed_at + interval '1 day' where number = 3",
            "seal changed",
            false,
        ),
    ];
    for (statement, found, of_the_tenant) in cases {
        let statement = statement.replace("{a}", &of_a).replace("{b}", B);
        boss.run(&format!("begin; {statement}")).await;
        let faults = boss.value(&format!("{FAULTS}()")).await.unwrap_or_default();
        let only = boss.value(&format!("{FAULTS}('{A}'::uuid)")).await.is_some();
        boss.run("rollback").await;
        let unique = faults.split(", ").collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        assert_eq!(unique.join(", "), found, "{statement}");
        assert_eq!(only, of_the_tenant, "{statement}");
    }
    // A sealing that is gone from the middle.
    boss.run("begin; delete from tenant.journal_sealings where number = 2").await;
    let faults = boss.value(&format!("{FAULTS}()")).await.unwrap_or_default();
    assert!(faults.contains("sealing missing"), "{faults}");
    boss.run("rollback").await;
    for form in ["()", &format!("('{A}')"), &format!("('{A}'::uuid)"), "(42)"] {
        assert_eq!(admin.value(&format!("{FAULTS}{form}")).await, None);
    }
}

/// Nobody else changes a seal, whichever function tries.
#[tokio::test]
async fn by_anybody_else() {
    let db = sealed("seal_kept").await;
    let (boss, app, admin) = (db.superuser().await, db.app().await, db.admin().await);
    boss.run(
        "create function as_owner(statement text) returns void language plpgsql security definer as $$ begin execute statement; end $$",
    )
    .await;
    boss.run("insert into tenant.journal_removals (before, lines) values ('2001-01-01', 0)").await;
    for table in ["tenant.journal_seals", "tenant.journal_sealings", "tenant.journal_removals"] {
        app.expect_error("TN155", &format!("select as_owner('delete from {table}')")).await;
        app.expect_error("TN155", &format!("select as_owner('truncate {table}')")).await;
        app.expect_error("TN155", &format!("select as_owner('update {table} set lines = 0')")).await;
        app.refused_inside("42501", A, &format!("select * from {table}")).await;
        for statement in [format!("delete from {table}"), format!("insert into {table} (lines) values (1)")] {
            admin.expect_error("42501", &statement).await;
        }
        admin.run(&format!("select * from {table}")).await;
    }
    for function in ["seal_journal()", "verify_journal()", "verify_journal('x')", "export_seals()", "export_journal()"]
    {
        app.expect_error("42501", &format!("select tenant.{function}")).await;
    }
}

/// A dump takes lines and seals to another server, which numbers its transactions anew.
#[tokio::test]
async fn by_a_dump() {
    let db = sealed("seal_dumped").await;
    let boss = db.superuser().await;
    boss.run("select tenant_internal.write_journal('noted', 'not sealed yet', 'why')").await;
    let other = Cluster::start(Options::default());
    let r = &db.roles;
    for role in [&r.owner, &r.app, &r.admin, &r.backup, &r.bystander] {
        other.superuser().await.run(&format!("create role {role} login")).await;
    }
    let target = other.plain_database("restored").await;
    target.psql("postgres", &db.dump("postgres").expect("pg_dump")).expect("psql");
    let restored = target.superuser().await;
    assert_eq!(restored.value(&format!("{FAULTS}()")).await, None);
    restored.run(&format!("select tenant_internal.write_journal('noted', 'after it', 'why', null, '{A}')")).await;
    seal(&restored).await;
    assert_eq!(restored.value(&format!("{FAULTS}()")).await, None);
    let origins = "select count(distinct origin) from tenant.journal_sealings";
    assert_eq!(restored.value(origins).await.as_deref(), Some("2"));
    restored.run("update tenant.journal set reason = '' where object = 'line 2 of 1'").await;
    assert!(restored.value(&format!("{FAULTS}()")).await.is_some());
}

//! What is older than was said stays, what is younger or said of protection goes, or the removal looks like tampering.

use pg_tenant_tests::shop::{A, shop};

use super::seal;

const FAULTS: &str = "select string_agg(problem, ' ') from tenant.verify_journal()";
const LEFT: &str = "select string_agg(object, ' ' order by id) from tenant.journal where object like 'from %'";
const REMOVED: &str = "select string_agg(done, ', ' order by month) from tenant.maintain_journal()";

/// Lines of a month that has a part, of a year ago, which has none, and of today.
async fn stage(name: &str) -> pg_tenant_tests::Database<'static> {
    let db = shop(name).await;
    db.superuser()
        .await
        .run(&format!(
            "select tenant_internal.make_journal_part(tenant_internal.month_of(now() - interval '95 days'));
             insert into tenant.journal (action, object, tenant_id, at) select 'noted', 'from ' || w, t, now() - a::interval
                from (values ('long', '1 year'), ('before', '95 days'), ('today', '0')) v (w, a), unnest('{{{A},null}}'::text[]) t;
             insert into tenant.journal (action, object, at) values ('protect', 'from protect', now() - interval '1 year')"
        ))
        .await;
    db
}

#[tokio::test]
async fn that_was_sealed() {
    let db = stage("removal").await;
    let (boss, admin, app) = (db.superuser().await, db.admin().await, db.app().await);
    seal(&boss).await;
    boss.run(
        "insert into tenant.journal (action, object, at) values ('noted', 'from unsealed', now() - interval '1 year')",
    )
    .await;
    assert_eq!(admin.value(REMOVED).await, None, "kept for good, unless somebody says otherwise");
    admin.run("select tenant.retain_journal('31 days', 'as the contract has it')").await;
    assert_eq!(admin.value(REMOVED).await.as_deref(), Some("waits to be sealed"));
    seal(&boss).await;
    // Somebody reads it: nobody waits.
    let reader = db.admin().await;
    reader.run("begin; select count(*) from tenant.journal").await;
    assert_eq!(admin.value(REMOVED).await.as_deref(), Some("waits"));
    reader.run("commit").await;
    // Writers go on, whose lines stand in this month.
    let writer = db.admin().await;
    writer.run(&format!("begin; select tenant.suspend('{A}', 'open')")).await;
    assert_eq!(admin.value(REMOVED).await.as_deref(), Some("removed 5 lines of before"));
    writer.run("commit").await;
    assert_eq!(boss.value(LEFT).await.as_deref(), Some("from today from today from protect"));
    assert_eq!(boss.value(FAULTS).await, None, "no tampering");
    seal(&boss).await;
    assert_eq!(boss.value(FAULTS).await, None);
    assert_eq!(admin.value(REMOVED).await, None, "once");
    let said = "select string_agg(action || ' ' || reason, ', ' order by id) from tenant.journal where object = 'tenant.journal'";
    assert_eq!(
        boss.value(said).await.as_deref(),
        Some("retain_journal as the contract has it, remove_journal as the contract has it")
    );
    assert_eq!(boss.value("select lines from tenant.journal_removals").await.as_deref(), Some("5"));
    // A line that is gone and was not to be removed shows all the same; so does one that is put back.
    for tampering in [
        "delete from tenant.journal where object = 'from protect'",
        "delete from tenant.journal where object = 'from today' and tenant_id is null",
        "insert into tenant.journal (action, object, at, xid8, id) overriding system value
             select 'noted', 'from long', now() - interval '1 year', upto, upto_id - 1 from tenant.journal_sealings where number = 1",
    ] {
        boss.run(&format!("begin; {tampering}")).await;
        assert!(boss.value(FAULTS).await.is_some(), "{tampering}");
        boss.run("rollback").await;
    }
    // Its part is gone, once nobody was writing.
    seal(&boss).await;
    assert_eq!(admin.value("select keep from tenant.journal_retention").await.as_deref(), Some("31 days"));
    admin.run("select tenant.retain_journal(null, 'for good')").await;
    assert_eq!(admin.value("select count(*) from tenant.journal_retention").await.as_deref(), Some("0"));
    for (code, call) in [
        ("TN156", "tenant.retain_journal('1 day', 'why')"),
        ("TN029", "tenant.retain_journal('1 year', ' ')"),
        ("TN100", "tenant.retain_journal('1 year', E'a\\nb')"),
    ] {
        admin.expect_error(code, &format!("select {call}")).await;
    }
    app.expect_error("42501", "select tenant.retain_journal('1 year', 'why')").await;
}

/// Where nobody seals, nothing waits for it.
#[tokio::test]
async fn that_was_not() {
    let db = stage("removal_unsealed").await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    admin.run("select tenant.retain_journal('31 days', 'short')").await;
    assert_eq!(admin.value(REMOVED).await.as_deref(), Some("removed 4 lines of before"));
    assert_eq!(boss.value(LEFT).await.as_deref(), Some("from today from today from protect"));
    let parts = "select count(*) from pg_inherits where inhparent = 'tenant_internal.journal_lines'::regclass";
    assert_eq!(boss.value(parts).await.as_deref(), Some("4"), "the part of the removed month is gone");
}

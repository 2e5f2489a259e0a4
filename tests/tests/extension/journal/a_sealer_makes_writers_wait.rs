//! A sealer waits for a writer, or a writer for a sealer; or two sealers seal a line twice, or none does.

use pg_tenant_tests::shop::{A, shop};

use super::seal;

const FAULTS: &str = "select count(*) from tenant.verify_journal()";

#[tokio::test]
async fn or_seals_what_may_be_undone() {
    let db = shop("seal_writers").await;
    let (boss, writer, admin) = (db.superuser().await, db.admin().await, db.admin().await);
    seal(&boss).await;
    writer.run(&format!("begin; select tenant.suspend('{A}', 'open')")).await;
    boss.run("select tenant_internal.write_journal('noted', 'later', 'why')").await;
    let id = "select max(id) from tenant.journal where action = 'noted'";
    // It seals what is settled at once, and neither the open line nor what was written after it.
    admin.run("set statement_timeout = '20s'; select tenant.seal_journal()").await;
    let unsealed = format!(
        "select count(*) from tenant.journal j where id >= ({id}) and (xid8, id) >
        (select upto, upto_id from tenant.journal_sealings order by number desc limit 1)"
    );
    assert_eq!(boss.value(&unsealed).await.as_deref(), Some("1"));
    // While a sealing is open, writers write.
    boss.run("begin; select tenant.seal_journal()").await;
    writer.run("set statement_timeout = '20s'; savepoint s; select tenant.create('z')").await;
    db.admin().await.run("set statement_timeout = '20s'; select tenant.create('y')").await;
    boss.run("commit").await;
    writer.run("rollback").await;
    seal(&boss).await;
    assert_eq!(boss.value(FAULTS).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn or_another_sealer() {
    let db = shop("two_sealers").await;
    let boss = db.superuser().await;
    let work = |n: usize| {
        let db = &db;
        async move {
            let (boss, admin) = (db.superuser().await, db.admin().await);
            for i in 0..20 {
                boss.run(&format!("select tenant_internal.write_journal('noted', '{n} {i}', 'why', null, '{A}')"))
                    .await;
                admin.run("select tenant.seal_journal()").await;
            }
        }
    };
    tokio::join!(work(0), work(1), work(2));
    seal(&boss).await;
    assert_eq!(boss.value(FAULTS).await.as_deref(), Some("0"));
    let each_once = "select (select sum(lines) from tenant.journal_seals) = count(*) from tenant.journal";
    assert_eq!(boss.value(each_once).await.as_deref(), Some("t"));
    let sealed = format!("select sum(lines) from tenant.journal_seals where tenant_id = '{A}'");
    assert_eq!(boss.value(&sealed).await.as_deref(), Some("60"));
}

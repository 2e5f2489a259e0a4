//! Months of the journal are made while it is written: nobody waits, and nothing of it is lost.

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Cluster, database};

const MADE: &str =
    "select string_agg(to_char(month, 'YYYY-MM') || ' ' || done, ', ' order by month) from tenant.maintain_journal";

#[tokio::test]
async fn or_it_waits_itself() {
    let db = shop("months").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    let count = "select count(*) from pg_inherits where inhparent = 'tenant_internal.journal_lines'::regclass";
    assert_eq!(boss.value(count).await.as_deref(), Some("4"), "three months, and the rest");
    assert_eq!(admin.value(&format!("{MADE}()")).await, None, "nothing is to do");

    // A transaction that has written, and is open: its line stands in this month's part.
    let writer = db.admin().await;
    writer.run(&format!("begin; select tenant.suspend('{A}', 'open')")).await;
    let made = admin.value(&format!("{MADE}(4)")).await.expect("two months");
    assert_eq!(made.matches("made").count(), 2, "{made}");
    assert_eq!(boss.value(count).await.as_deref(), Some("6"));
    // Where its line stands with the rest, that is locked.
    boss.run("begin; insert into tenant.journal (at, action, object) values ('2001-01-01', 'old', 'x')").await;
    let made = admin.value(&format!("{MADE}(5)")).await.expect("one month");
    assert!(made.ends_with("waits"), "{made}");
    // Nobody waits for it either: it has let go at once.
    let other = db.admin().await;
    other.run("set lock_timeout = '5s'; select tenant.create('y'); reset lock_timeout").await;
    boss.run("commit").await;
    assert!(admin.value(&format!("{MADE}(5)")).await.expect("one month").ends_with("made"));
    writer.run("commit").await;
    for wrong in ["-1", "121", "null"] {
        admin.expect_error("TN156", &format!("select tenant.maintain_journal({wrong})")).await;
    }
    db.app().await.expect_error("42501", "select tenant.maintain_journal()").await;
}

/// A line goes to its month, by whichever way it is written, and to the rest where that has no part.
#[tokio::test]
async fn or_a_line_stands_in_another() {
    let db = shop("months_of_lines").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    let written = "select tenant.create('by_c'); insert into tenant.journal (action, object) values ('note', 'by_sql')";
    let place =
        "select string_agg(distinct tableoid::regclass::text, ' ') from tenant.journal where object like 'by\\_%'";
    let month =
        boss.value("select 'tenant_internal.' || to_char(now() at time zone 'UTC', '\"journal_\"YYYY_MM')").await;
    admin.run(written).await;
    assert_eq!(boss.value(place).await, month);
    assert_eq!(
        boss.value("select string_agg(distinct action, ' ' order by action) from tenant_internal.journal_protection")
            .await
            .as_deref(),
        Some("protect")
    );
    boss.run(&format!("drop table {}", month.expect("a month"))).await;
    admin.run(&written.replace("by_", "by_2_")).await;
    assert_eq!(boss.value(place).await.as_deref(), Some("tenant_internal.journal_rest"));
    // The month has lines there, so it has no part until it is over.
    assert!(admin.value(&format!("{MADE}()")).await.expect("a month").ends_with("waits"));
}

/// Months that were made later are in a dump, with their indexes, and go with the extension.
#[tokio::test]
async fn or_a_dump_leaves_it_out() {
    let db = shop("months_dumped").await;
    let boss = db.superuser().await;
    // What an administrator grants on every new table is not granted on these.
    boss.run("alter default privileges grant all on tables to public").await;
    db.admin().await.run("select tenant.maintain_journal(3)").await;
    boss.run("alter default privileges revoke all on tables from public").await;
    let open = "select count(*) from pg_class where relnamespace = 'tenant_internal'::regnamespace and relname like 'journal%' and relacl::text like '%{=%'";
    assert_eq!(boss.value(open).await.as_deref(), Some("0"));
    let next = boss.value("select split_part(string_agg(inhrelid::regclass::text, ' ' order by inhrelid desc), ' ', 1) from pg_inherits
        where inhparent = 'tenant_internal.journal_lines'::regclass").await.expect("a month");
    let ends =
        "select (regexp_match(pg_get_expr(relpartbound, oid), 'FROM \\(''(.*?)'''))[1] from pg_class where oid = ";
    let begins = boss.value(&format!("{ends}'{next}'::regclass")).await.expect("its beginning");
    boss.run(&format!("insert into tenant.journal (at, action, object) values ('{begins}', 'later', 'x')")).await;

    let target = Cluster::shared().plain_database("months_restored").await;
    target.psql("postgres", &db.dump("postgres").expect("pg_dump")).expect("psql");
    let restored = target.superuser().await;
    let shape = "select inhrelid::regclass, pg_get_expr(relpartbound, oid) from pg_inherits join pg_class on oid = inhrelid
            where inhparent = 'tenant_internal.journal_lines'::regclass order by inhrelid::regclass::text;
         select pg_get_indexdef(indexrelid) from pg_index where indrelid::regclass::text ~ 'journal' order by 1;
         select tgrelid::regclass, tgname from pg_trigger where tgrelid::regclass::text ~ 'journal' order by tgrelid::regclass::text, tgname;
         select tableoid::regclass, * from tenant.journal order by id";
    assert_eq!(restored.rows(shape).await, boss.rows(shape).await);
    restored.run("select tenant.unprotect('orders', 'to be dropped'); drop extension pg_tenant cascade").await;
    assert_eq!(
        restored.value("select count(*) from pg_class where relname like 'journal%'").await.as_deref(),
        Some("0")
    );

    // Where nothing of a user's is in the way, without CASCADE.
    let db = database("months_gone").await;
    let empty = db.superuser().await;
    empty.run("drop extension pg_tenant").await;
    assert_eq!(empty.value("select count(*) from pg_class where relname like 'journal%'").await.as_deref(), Some("0"));
}

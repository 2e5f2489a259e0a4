//! Triggers whose function is written in C: the executor calls them without asking. Contrib's `tcn` notifies on a
//! channel that all tenants share, `lo_manage` removes large objects.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

const TCN: &str = "triggered_change_notification('news_of_b')";

#[tokio::test]
async fn speaks_for_whoever_has_put_it_there() {
    if Install::current().lacks("tcn lo") {
        return;
    }
    let db = shop("trigger_c").await;
    let boss = db.superuser().await;
    boss.run("create extension tcn; create extension lo").await;
    let app = db.app().await;
    let table = "create temp table t (id int primary key, large lo) on commit drop";
    let on = |what: &str| format!("create trigger x after insert or delete on t for each row execute function {what}");
    let tcn = on(TCN);
    // The hole: a notification under any name.
    app.run(&format!(
        "listen news_of_b; begin; set local app.tenant = '{A}'; {table}; {tcn}; insert into t values (1); commit"
    ))
    .await;
    app.run("unlisten *").await;
    // When it is made in the tenant, and when it was made before.
    app.refused_inside("TN063", A, &format!("{table}; {tcn}")).await; // TN063
    let large = on("lo_manage('large')").replace("after insert or delete", "before update or delete");
    app.refused_inside("TN064", A, &format!("{table}; {large}")).await; // TN064
    for write in [
        "insert into t values (1)",
        "insert into v values (1)",
        "merge into t using (values (1)) v (n) on t.id = v.n when not matched then insert values (1)",
        "with w as (insert into t values (1) returning 1) select * from w",
        "delete from t",
        "prepare p as insert into t values (1); execute p",
        "do $$ begin insert into t values (1); end $$",
    ] {
        app.run(&format!("begin; {table}; create temp view v as select id from t; {tcn}; insert into t values (7)"))
            .await;
        let refused = app.expect_error("TN063", &format!("select tenant.enter('{A}'); {write}")).await; // TN063
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.notify")), "{refused:?}");
        app.run("rollback; deallocate all").await;
    }
    // By a foreign key's own query, and by a leaf of a hierarchy.
    app.run(&format!("begin; {table}; create temp table p (id int primary key) on commit drop")).await;
    app.run(&format!("{tcn}; alter table t add foreign key (id) references p on delete cascade")).await;
    app.run("insert into p values (7); insert into t values (7)").await;
    app.expect_error("TN063", &format!("select tenant.enter('{A}'); delete from p")).await;
    app.run("rollback; begin; create temp table r (id int) partition by list (id) on commit drop").await;
    app.run(&format!("create temp table t partition of r (primary key (id)) default on commit drop; {tcn}")).await;
    app.expect_error("TN063", &format!("select tenant.enter('{A}'); insert into r values (1)")).await;
    app.run("rollback").await;
    // The neighbours: what the owner has put on tables for others, and triggers that do neither.
    db.owner().await.run("create table free (id int primary key, note text); grant all on free to public").await;
    db.owner().await.run("revoke trigger on free from public").await;
    for table in ["orders", "free"] {
        db.owner().await.run(&tcn.replace(" on t ", &format!(" on {table} ")).replace("news_of_b", "wake")).await;
        app.inside(A, &format!("insert into {table} (id) values (70); delete from {table} where id = 70")).await;
    }
    let harmless = on("suppress_redundant_updates_trigger()").replace("after insert or delete", "before update");
    app.inside(A, &format!("{table}; {harmless}; insert into t values (1); update t set id = 2")).await;
}

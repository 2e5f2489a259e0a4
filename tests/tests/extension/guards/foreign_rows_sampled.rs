//! ANALYZE fetches rows of another server's and shows values of them in `pg_stats`.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn inside_a_tenant() {
    if Install::current().lacks("file_fdw") {
        return;
    }
    let db = shop("sampled").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(
        "create extension file_fdw; create server files foreign data wrapper file_fdw;
         create table far_parent (line text) partition by list (line); create foreign table far_part
            partition of far_parent default server files options (filename '/etc/hostname');
         create table far_base (line text);
         do $$ declare file text := current_setting('data_directory') || '/far.csv'; begin
            execute format('copy (select ''secret'' from generate_series(1, 9)) to %L', file);
            execute format('create foreign table far (line text) server files options (filename %L)', file);
            execute format('create foreign table far_child () inherits (far_base) server files options (filename %L)', file);
         end $$",
    )
    .await;
    for table in ["far", "far_base", "far_child", "far_parent", "far_part"] {
        boss.run(&format!("alter table {table} owner to {}", db.roles.app)).await;
    }
    let stats = "select count(*) from pg_stats where tablename ~ '^far' and most_common_vals::text ~ 'secret'";
    for command in ["analyze far", "vacuum (analyze) far"] {
        app.run(command).await; // the hole
    }
    assert_eq!(app.value(stats).await.as_deref(), Some("1"));
    assert_eq!(app.inside_value(A, stats).await.as_deref(), Some("0"), "what was fetched before");
    boss.run("delete from pg_statistic where starelid = 'far'::regclass").await;
    for command in ["analyze far", "analyze far (line)", "analyze far_child", "analyze far_base", "analyze far_parent"]
    {
        app.refused_inside("TN065", A, command).await;
    }
    app.refused_inside("TN065", A, "import foreign schema public from server files into public").await;
    assert_eq!(app.value(stats).await.as_deref(), Some("0"));
    // A bound login's too, where no transaction block is needed.
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.expect_error("TN065", "vacuum (analyze) far").await;
    // The neighbours: a table of one's own, and a foreign one that everybody may see.
    bound.run("create temporary table mine (x int); analyze mine").await;
    boss.run("select tenant.share('far', 'exchange rates')").await;
    bound.run("analyze far").await;
}

//! A tool that knows nothing of tenants is refused what it asks of every database: how large, how many, who is there.

use pg_tenant_tests::shop::{A, shop};

/// psql's own.
const COMMANDS: &[&str] = &[
    "\\d+",
    "\\dt+",
    "\\di+",
    "\\ds+",
    "\\dv+",
    "\\dm+",
    "\\dP+",
    "\\l+",
    "\\db+",
    "\\dn+",
    "\\du+",
    "\\d+ orders",
    "\\dp",
    "\\df+ pg_table_size",
    "\\dx+ pg_tenant",
    "\\dT+",
    "\\dX+",
    "\\dtS+ pg_class",
];

/// As DBeaver, pgAdmin, JetBrains' editors, Metabase and exporters ask.
const ASKED: &[&str] = &[
    "select c.oid, c.relname, pg_catalog.pg_relation_size(c.oid) from pg_catalog.pg_class c where c.relkind = 'r'",
    "select c.relname, pg_size_pretty(pg_total_relation_size(c.oid)) as total, pg_size_pretty(pg_indexes_size(c.oid))
        from pg_class c where relkind in ('r', 'm') order by pg_total_relation_size(c.oid) desc nulls last limit 5",
    "select d.datname, pg_size_pretty(pg_database_size(d.oid)) from pg_database d order by pg_database_size(d.oid)",
    "select spcname, pg_tablespace_size(oid) from pg_tablespace where spcname = 'pg_default'",
    "select pid, usename, state, query from pg_stat_activity where datname = current_database()",
    "select sum(numbackends) as total from pg_stat_database",
    "select sum(xact_commit) + sum(xact_rollback), sum(tup_inserted), sum(blks_hit) from pg_stat_database
        where datname = current_database()",
    "select blocked.pid, blocking.query from pg_stat_activity blocked
        join pg_stat_activity blocking on blocking.pid = any (pg_blocking_pids(blocked.pid))",
    "select l.pid, l.mode, l.relation::regclass, a.query from pg_locks l left join pg_stat_activity a using (pid)",
    "select schemaname, sequencename, last_value from pg_sequences",
    "select relname, n_live_tup, n_dead_tup, last_autovacuum from pg_stat_user_tables",
    "select relname, seq_scan, idx_scan, coalesce(n_tup_ins, 0) from pg_stat_all_tables where schemaname = 'public'",
    "select indexrelname, idx_scan, pg_size_pretty(pg_relation_size(indexrelid)) from pg_stat_user_indexes
        group by 1, 2, indexrelid having coalesce(sum(idx_scan), 0) = 0",
    "select count(*) from pg_statio_user_tables where heap_blks_hit > 0",
    "select * from pg_stat_bgwriter, pg_stat_archiver",
    "select * from pg_stat_replication; select * from pg_stat_ssl; select * from pg_stat_progress_vacuum",
    "select * from pg_prepared_xacts; select * from pg_replication_slots",
    "select count(*) from pg_stat_user_functions; select * from pg_stat_xact_user_tables",
    "with sizes as (select oid, pg_table_size(oid) as size from pg_class where relkind = 'r')
        select relname, size, rank() over (order by size desc) from sizes join pg_class using (oid)",
    "select json_agg(json_build_object('name', relname, 'bytes', pg_table_size(oid))) from pg_class where relkind = 'r'",
    "select case when pg_relation_size('orders') > 0 then 'full' else 'empty' end",
    "do $$ declare r record; n bigint; begin n := pg_database_size(current_database());
        for r in select * from pg_stat_activity loop n := r.pid; end loop; end $$",
];

#[tokio::test]
async fn in_its_terminal() {
    let db = shop("terminal").await;
    db.owner().await.run("create sequence numbers; create view few as select * from orders limit 3").await;
    let app = &db.roles.app;
    let entered = format!("begin; select tenant.enter('{A}');\n");
    let commands = COMMANDS.join("\n");
    let shown = db.psql(app, &format!("{entered}{commands}\n")).expect("psql, inside a tenant");
    assert!(shown.contains("orders"), "{shown}");
    assert!(!shown.contains(" kB") && !shown.contains(" bytes") && !shown.contains(" MB"), "{shown}");
    let sizes = db.psql(app, "\\dt+\n").expect("psql, with no tenant");
    assert!(sizes.contains(" kB"), "{sizes}");
    db.admin().await.run(&format!("select tenant.bind_role('{app}', '{A}')")).await;
    let bound = db.psql(app, &format!("{commands}\n")).expect("psql, bound");
    assert!(bound.contains("orders") && !bound.contains(" kB"), "{bound}");
    db.refuse_side_channels().await;
    for command in ["\\d+", "\\dt+", "\\di+", "\\l+", "\\db+"] {
        let refused = db.psql(app, &format!("{command}\n"));
        assert!(!refused.ok && refused.stderr.contains("is refused in a tenant's transaction"), "{refused:?}");
    }
}

#[tokio::test]
async fn in_its_catalog_queries() {
    let db = shop("catalog_queries").await;
    db.owner().await.run("create sequence numbers").await;
    let app = db.app().await;
    for asked in ASKED {
        app.run(asked).await;
        app.inside(A, asked).await;
        if !asked.contains(';') {
            app.inside(A, &format!("prepare p as {asked}; execute p; deallocate p")).await;
        }
    }
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    for asked in ASKED {
        bound.run(asked).await;
    }
    assert_eq!(bound.rows("select pid = pg_backend_pid() from pg_stat_activity").await, [[Some("t".to_owned())]]);
}

//! A plan that scans a protected table without its fence is refused, whatever made it: here, a planner that loses it.

use pg_tenant_tests::{Cluster, Options, Session};

use crate::library;

/// Each scans `items`, `parts` or both in another way; `{all}` stands for a scan of all of a table.
const STATEMENTS: [(&str, &str); 17] = [
    ("indexscan, bitmapscan, tidscan", "select * from items"),
    ("indexscan, bitmapscan, tidscan", "select count(*) from items tablesample system (50)"),
    ("seqscan, bitmapscan, indexonlyscan", "select note from items where tenant_id = 'acme' and id = 1"),
    ("seqscan, bitmapscan, indexscan", "select id from items where tenant_id = 'acme'"),
    ("seqscan, indexscan, indexonlyscan", "select note from items where tenant_id = 'acme' and id < 3"),
    ("seqscan", "select * from items where ctid = '(0,1)'"),
    ("seqscan", "select * from items where ctid < '(0,5)'"),
    ("seqscan", "select * from parts"),
    ("seqscan", "select * from parts_1"),
    ("seqscan", "select * from parts order by tenant_id, id limit 1"),
    ("nestloop", "select * from items join parts using (tenant_id, id)"),
    ("seqscan", "select (select count(*) from items)"),
    ("seqscan", "with c as materialized (select * from items) select * from c"),
    ("seqscan", "select 1 union all select id from items"),
    ("seqscan", "update items set note = 'x'"),
    ("seqscan", "delete from items where id in (select id from parts)"),
    ("seqscan", "merge into items i using (values (1)) v (id) on i.id = v.id when matched then delete"),
];

fn off(scans: &str) -> String {
    scans.split(", ").map(|scan| format!("set local enable_{scan} = off; ")).collect()
}

async fn refused(session: &Session, before: &str, sqlstate: &str, sql: &str) {
    session.run(&format!("begin; {before}")).await;
    session.expect_error(sqlstate, sql).await;
    session.run("rollback").await;
}

#[tokio::test]
async fn and_what_it_made_is_refused() {
    let planner = library::planner();
    let cluster = Cluster::start(Options::default().set("shared_preload_libraries", &format!("{planner}, pg_tenant")));
    let db = cluster.database("lossy").await;
    let boss = db.superuser().await;
    boss.run(
        "select tenant.create('acme');
         create table items (tenant_id text, id int, note text, primary key (tenant_id, id));
         create table parts (tenant_id text, id int, primary key (tenant_id, id)) partition by range (id);
         create table parts_1 partition of parts for values from (0) to (10);
         create table parts_2 partition of parts for values from (10) to (20);
         insert into items select t, n, 'x' from unnest(array['acme', 'globex']) t, generate_series(1, 19) n;
         insert into parts select tenant_id, id from items; grant all on items, parts, parts_1 to public;
         select tenant.protect('items'), tenant.protect('parts')",
    )
    .await;
    boss.run("vacuum analyze items").await;
    boss.run("vacuum analyze parts").await;
    let app = db.app().await;
    for (without, sql) in STATEMENTS {
        let enter = format!("select tenant.enter('acme'); {}", off(without));
        app.run(&format!("begin; {enter} {sql}; rollback")).await;
        refused(&app, &format!("{enter} set local lossy.planner = on"), "TN018", sql).await;
        // With no tenant it says what every statement is told, and it is not kept for later either.
        refused(&app, "set local lossy.planner = on", "TN001", sql).await;
        refused(&app, "set local lossy.planner = on", "TN001", &format!("explain {sql}")).await;
    }
    // Of a table that is reached by membership, its own fence and that of the join table.
    boss.run(
        "create table people (id int primary key, note text); create table belongs (tenant_id text, person int references people);
         insert into people select n, 'x' from generate_series(1, 9) n; insert into belongs values ('acme', 1);
         grant all on people, belongs to public; select tenant.protect('belongs');
         select tenant.protect_by_membership('people', 'belongs')",
    )
    .await;
    for sql in [
        "select * from people",
        "select * from people where id = 1",
        "select * from items join people using (id)",
        "select * from people where tenant.is_member(id in (select n from generate_series(1, 9) n))",
        "select * from people where tenant.is_member(note in (select note from items))",
    ] {
        let enter = "select tenant.enter('acme');";
        app.run(&format!("begin; {enter} {sql}; rollback")).await;
        for function in ["is_member", "is_current"] {
            let lossy = format!("set local lossy.planner = on; set local lossy.function = '{function}'");
            refused(&app, &format!("{enter} {lossy}"), "TN018", sql).await;
            refused(&app, &lossy, "TN001", sql).await;
        }
    }
    // What policies do not apply to has no fence to lose.
    boss.run("set lossy.planner = on; select * from items; set lossy.planner = off").await;
    // A plan that is kept is looked at when it is made anew.
    app.run("set plan_cache_mode = force_generic_plan; prepare p as select id from items").await;
    app.inside("acme", "execute p").await;
    boss.run("alter table items add column more int").await;
    refused(&app, "select tenant.enter('acme'); set local lossy.planner = on", "TN018", "execute p").await;
    app.inside("acme", "execute p").await;
}

/// Where rows of nobody are everybody's to read: what finds them, and what is lost. Without `is_current` they are found
/// to be written; without `is_current_or_shared` all tenants' are read.
const OF_NOBODY: [(&str, &str, &str); 13] = [
    ("is_current_or_shared", "indexscan, bitmapscan, indexonlyscan", "select * from roles"),
    ("is_current_or_shared", "seqscan", "select note from roles where id < 3"),
    ("is_current_or_shared", "seqscan", "select note from roles where tenant_id is null"),
    ("is_current_or_shared", "seqscan, bitmapscan", "select note from roles where tenant_id = 'acme' and id = 1"),
    (
        "is_current_or_shared",
        "seqscan",
        "merge into roles r using (values (1)) v (id) on r.id = v.id when matched then delete",
    ),
    ("is_current_or_shared", "seqscan", "select * from halves"),
    ("is_current", "indexscan, bitmapscan, indexonlyscan", "update roles set note = 'x'"),
    ("is_current", "seqscan", "delete from roles where tenant_id is null or id = 1"),
    ("is_current", "seqscan", "select * from roles where id = 1 for update"),
    ("is_current", "seqscan", "select * from (select * from roles for key share) r"),
    ("is_current", "seqscan", "select * from looks for share"),
    ("is_current", "seqscan", "with d as (delete from halves returning id) select * from d"),
    ("is_current", "seqscan", "update halves h set note = 'x' from roles r where r.id = h.id"),
];

#[tokio::test]
async fn of_rows_of_nobody() {
    let planner = library::planner();
    let cluster = Cluster::start(Options::default().set("shared_preload_libraries", &format!("{planner}, pg_tenant")));
    let db = cluster.database("lossy_shared").await;
    let boss = db.superuser().await;
    boss.run(
        "select tenant.create('acme');
         create table roles (tenant_id text, id int, note text, unique (tenant_id, id));
         create view looks with (security_invoker = true) as select * from roles;
         create table halves (tenant_id text, id int, note text) partition by list (tenant_id);
         create table halves_null partition of halves for values in (null);
         create table halves_rest partition of halves default;
         insert into roles select t, n, 'x' from unnest(array['acme', 'globex', null]) t, generate_series(1, 19) n;
         insert into halves select * from roles; grant all on roles, halves, looks to public;
         select tenant.protect('roles', shared_rows => true), tenant.protect('halves', shared_rows => true)",
    )
    .await;
    boss.run("vacuum analyze roles").await;
    let app = db.app().await;
    for (function, without, sql) in OF_NOBODY {
        let enter = format!("select tenant.enter('acme'); set local lossy.function = {function}; {}", off(without));
        if !sql.starts_with("merge") {
            app.run(&format!("begin; {enter} {sql}; rollback")).await;
        }
        refused(&app, &format!("{enter} set local lossy.planner = on"), "TN018", sql).await;
        let nobody = format!("set local lossy.function = {function}; set local lossy.planner = on");
        refused(&app, &nobody, "TN001", sql).await;
    }
    // What only reads goes by the other function, and the neighbour of a target is not one.
    let lost = "select tenant.enter('acme'); set local lossy.planner = on";
    app.run(&format!("begin; {lost}; select * from roles; rollback")).await;
    refused(&app, lost, "TN018", "update roles r set note = s.note from roles s where s.id = r.id").await;
}

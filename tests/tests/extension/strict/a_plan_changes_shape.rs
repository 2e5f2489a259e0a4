//! The fence costs no plan: the same indexes, joins, pruning and estimates as with the equality alone.

use pg_tenant_tests::{Session, database};

const FORMER: &str = "(tenant_id = tenant.current_id())";

const QUERIES: [&str; 14] = [
    "select * from items",
    "select * from items where id = 7",
    "select id from items where id between 5 and 50 order by id",
    "select * from items order by id limit 5",
    "select count(*) from items",
    "select * from items where amount = 3",
    "select * from items where amount < 10 and note like 'n%'",
    "select i.id, p.id from items i join parts p using (tenant_id, id) where i.amount = 3",
    "select * from items i where exists (select from parts p where p.id = i.id and p.day < 3)",
    "select * from parts",
    "select * from parts where day = 2",
    "select tenant_id, count(*) from items group by tenant_id",
    "update items set note = 'x' where id = 7",
    "delete from parts where day = 2 and id = 9",
];

/// The plan's nodes and how many rows each is thought to give.
async fn shape(app: &Session, sql: &str) -> Vec<String> {
    app.run("begin; select tenant.enter('t1')").await;
    let lines = app.rows(&format!("explain {sql}")).await;
    app.run("rollback").await;
    let lines = lines.into_iter().flatten().flatten();
    let nodes = lines.filter(|line| line.contains("rows="));
    nodes
        .map(|line| {
            let (node, rest) = line.split_once("  (cost").expect("a cost");
            let rows = rest.split("rows=").nth(1).and_then(|rest| rest.split(' ').next()).expect("rows");
            format!("{node} {rows}")
        })
        .collect()
}

#[tokio::test]
async fn for_the_function_in_it() {
    let db = database("shapes").await;
    let boss = db.superuser().await;
    boss.run(
        "select tenant.create('t' || n) from generate_series(1, 20) n;
         create table items (tenant_id text, id int, amount int, note text, primary key (tenant_id, id));
         insert into items select 't' || n % 20, n, n % 100, 'n' || n from generate_series(1, 20000) n;
         create index on items (tenant_id, amount);
         create table parts (tenant_id text, id int, day int) partition by range (day);
         create table parts_1 partition of parts for values from (0) to (2);
         create table parts_2 partition of parts for values from (2) to (4);
         insert into parts select 't' || n % 20, n, n % 4 from generate_series(1, 20000) n;
         create index on parts (tenant_id, id);
         select tenant.protect('items'), tenant.protect('parts');
         grant all on items, parts to public; analyze items; analyze parts",
    )
    .await;
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    let mut now = Vec::new();
    for sql in QUERIES {
        now.push(shape(&app, sql).await);
    }
    boss.run("set pg_tenant.guards = off").await;
    for table in ["items", "parts", "parts_1", "parts_2"] {
        for policy in ["tenant_isolation", "tenant_access"] {
            boss.run(&format!("alter policy {policy} on {table} using {FORMER} with check {FORMER}")).await;
        }
    }
    for (sql, now) in QUERIES.iter().zip(now) {
        assert_eq!(shape(&app, sql).await, now, "{sql}");
    }
    assert!(
        shape(&app, "select * from parts where day = 2").await.iter().all(|node| !node.contains("parts_1")),
        "pruned"
    );
}

//! A condition without columns runs once for each row that a scan visits: how often it ran tells how many rows others
//! have, and together with another condition, which.

use pg_tenant_tests::{Database, Session, database};

/// `people`: globex has 500 rows, acme five; with an index of every kind. `tick()` counts its calls, and says that it
/// is cheap.
async fn people(name: &str, protect: bool) -> Database<'static> {
    let db = database(name).await;
    let boss = db.superuser().await;
    boss.run(
        "select tenant.create('acme'), tenant.create('globex');
         create table people (tenant_id text, id int, email text, amount int, area polygon, tags int[], note text);
         insert into people select 'globex', g, 'g' || g || '@globex.example', g, polygon(circle(point(g, g), 1)), array[g], 'acme'
            from generate_series(1, 500) g;
         insert into people select 'acme', 1000 + g, 'a' || g || '@acme.example', g, polygon(circle(point(-g, -g), 1)), array[g], 'acme'
            from generate_series(1, 5) g;
         create index on people (tenant_id, id); create index people_amount on people (amount);
         create index on people using hash (email); create index on people using brin (amount);
         create index on people using gist (area); create index on people using gin (tags);
         grant all on people to public;
         create function count_one() returns void language sql as
            $$ select set_config('o.n', (coalesce(nullif(current_setting('o.n', true), ''), '0')::int + 1)::text, false) $$;
         create function tick() returns boolean language plpgsql volatile cost 0.0001 as
            $$ begin perform count_one(); return true; end $$;
         create function slow() returns text language plpgsql stable cost 10000 as $$ begin return 'acme'; end $$;
         create function mail(t text) returns text language plpgsql stable as
            $$ begin perform count_one(); return t; end $$;
         create function num(n int) returns int language plpgsql stable as
            $$ begin perform count_one(); return n; end $$;
         create function spot() returns point language plpgsql stable as
            $$ begin perform count_one(); return point(300, 300); end $$;
         create operator === (function = texteq, leftarg = text, rightarg = text);
         analyze people",
    )
    .await;
    if protect {
        boss.run("select tenant.protect('people')").await;
    } else {
        boss.run(
            "create function app_tenant() returns text language sql stable return current_setting('app.tenant', true);
             alter table people enable row level security, force row level security;
             create policy p on people using (tenant_id = app_tenant())",
        )
        .await;
    }
    db
}

/// How often the conditions ran.
async fn calls(app: &Session, enter: &str, scan: &str, sql: &str) -> i64 {
    app.run(&format!("begin; {enter}; {scan}; set local o.n = '0'")).await;
    app.run(sql).await;
    let calls = app.value("select current_setting('o.n')").await;
    app.run("rollback").await;
    calls.and_then(|n| n.parse().ok()).expect("a number")
}

const ENTER: &str = "select tenant.enter('acme')";
const STOCK: &str = "set local app.tenant = 'acme'";

/// What the planner is told to use, and what can use it.
const SCANS: [&str; 4] = [
    "set local enable_indexscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off",
    "set local enable_seqscan = off; set local enable_bitmapscan = off",
    "set local enable_seqscan = off; set local enable_indexscan = off; set local enable_indexonlyscan = off",
    "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_indexscan = off",
];

/// Conditions; beside each the most calls that the tenant's own five rows explain.
const CONDITIONS: [(&str, i64); 16] = [
    ("tick()", 5),
    ("tenant_id = 'acme' and tick()", 5),
    ("tenant_id = slow() and email = 'g7@globex.example' and tick()", 5),
    ("tenant_id = slow() and amount > 490 and email like 'g%' and tick()", 5),
    ("note = tenant.current_id() and tick()", 5),
    ("note = tenant_id and tick()", 5),
    ("note = tenant_id and note = tenant.current_id() and tick()", 5),
    ("note === tenant.current_id() and tick()", 5),
    ("tenant.is_current(note) and tick()", 5),
    ("ctid = any (array['(0,1)', '(0,2)', '(0,3)']::tid[]) and tick()", 5),
    ("ctid < '(1,1)' and tick()", 5),
    ("amount in (3, 300) and tick()", 5),
    ("tags @> array[300] and tick()", 5),
    ("area && polygon(circle(point(300, 300), 5)) and tick()", 5),
    ("id in (select id from people where tick()) and tick()", 10),
    ("exists (select from people i where i.id = people.id and tick())", 25),
];

#[tokio::test]
async fn by_how_often_it_runs() {
    let stock = people("calls_stock", false).await;
    let db = people("calls", true).await;
    let (there, app) = (stock.app().await, db.app().await);
    let hole = calls(&there, STOCK, SCANS[0], "select count(*) from people where tenant_id = 'acme' and tick()").await;
    assert_eq!(hole, 505, "the hole: once for each row of everybody");
    for (condition, own) in CONDITIONS {
        for scan in SCANS {
            for sql in [
                "select count(*) from people where {c}",
                "select count(*) from people tablesample system (100) where {c}",
            ] {
                let sql = sql.replace("{c}", condition);
                let calls = calls(&app, ENTER, scan, &sql).await;
                assert!(calls <= own, "{calls} calls, {own} of one's own rows: {sql}; {scan}");
            }
        }
    }
    for sql in [
        "update people set amount = amount where tenant_id = 'acme' and tick()",
        "delete from people where tenant_id = 'acme' and tick()",
    ] {
        assert_eq!(calls(&app, ENTER, SCANS[0], sql).await, 5, "{sql}");
    }
    app.run("prepare p (text) as select count(*) from people where tenant_id = $1 and tick()").await;
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let scan = format!("set local plan_cache_mode = {mode}; {}", SCANS[0]);
        assert_eq!(calls(&app, ENTER, &scan, "execute p ('acme')").await, 5, "{mode}");
        assert_eq!(calls(&app, ENTER, &scan, "execute p ('globex')").await, 0, "{mode}");
    }
}

/// Conditions of an index that are asked again of the row, and distances, which PostgreSQL keeps outside of the filter.
#[tokio::test]
async fn by_what_an_index_asks_again() {
    let stock = people("rechecks_stock", false).await;
    let db = people("rechecks", true).await;
    // Only the index that is asked leads anywhere.
    for db in [&stock, &db] {
        db.superuser().await.run("drop index people_tenant_id_id_idx").await;
    }
    let (there, app) = (stock.app().await, db.app().await);
    let (index, bitmap) = (SCANS[1], SCANS[2]);
    let hash = |who: &str| format!("select count(*) from people where email = mail('{who}')");
    let nearest = "select id from people order by area <-> spot() limit 1";
    let range = "select count(*) from people where amount = num(77)";

    let (taken, nobody) = (hash("g7@globex.example"), hash("nobody@globex.example"));
    let told = (calls(&there, STOCK, index, &taken).await, calls(&there, STOCK, index, &nobody).await);
    assert!(told.0 > told.1, "the hole: {told:?} calls tell that somebody has the address");
    let told = (calls(&app, ENTER, index, &taken).await, calls(&app, ENTER, index, &nobody).await);
    assert_eq!(told.0, told.1);
    let told = (calls(&app, ENTER, bitmap, &taken).await, calls(&app, ENTER, bitmap, &nobody).await);
    assert_eq!(told.0, told.1);

    let hole = calls(&there, STOCK, index, nearest).await;
    assert!(hole > 300, "the hole: {hole} distances of everybody's rows");
    let asked = calls(&app, ENTER, index, nearest).await;
    assert!(asked <= 6, "{asked} distances");
    assert_eq!(
        app.inside_value("acme", &format!("set local enable_seqscan = off; {nearest}")).await.as_deref(),
        Some("1001")
    );
    let brin = "drop index people_amount";
    stock.superuser().await.run(brin).await;
    db.superuser().await.run(brin).await;
    let hole = calls(&there, STOCK, bitmap, range).await;
    assert!(hole > 400, "the hole: {hole} rows of a range of blocks");
    let asked = calls(&app, ENTER, bitmap, range).await;
    assert!(asked <= 8, "{asked} calls");
}

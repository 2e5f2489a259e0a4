//! The planner takes the policy out of a plan: it merges an equality of a policy with those of the statement, keeps one
//! of them in the scan and tests the other once, before the scan. Whose value changes after that test reads everything.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

/// Statements over `{t}`, whose rows of [`A`] are 1, 2, 3, that have an equality on the tenant column with an
/// expression of their own: `{x}` is [`A`] when the statement begins, and [`B`] once `{flip}` is evaluated.
const READS: [&str; 8] = [
    "select id from {t} where tenant_id = {x} and {flip}",
    "select id from {t} where {x} = tenant_id and {flip}",
    "select id from {t} where tenant_id in ({x}) and {flip}",
    "select a.id from {t} a join {t} b using (tenant_id) where a.tenant_id = {x} and a.id = b.id and {flip}",
    "select id from {t} where exists (select from {t} i where i.tenant_id = {x} and i.id = {t}.id and {flip})",
    "with c as materialized (select id from {t} where tenant_id = {x} and {flip}) select id from c",
    "select id from (values (1)) v, lateral (select id from {t} where tenant_id = {x} and {flip}) l",
    "select null::int where false union all select id from {t} where tenant_id = {x} and {flip}",
];

const X: &str = "current_setting('evil.t', true)::uuid";

fn flip() -> String {
    format!("set_config('evil.t', '{B}', true) is not null")
}

fn fill(sql: &str, table: &str) -> String {
    sql.replace("{t}", table).replace("{x}", X).replace("{flip}", &flip())
}

/// The ids that come back of the statement inside [`A`], on the stock table and on ours, with the planner told to scan
/// so.
async fn ids(app: &Session, enter: &str, sql: &str, scan: &str) -> Vec<String> {
    app.run(&format!("begin; {enter}; {scan}; select set_config('evil.t', '{A}', true)")).await;
    let rows = app.rows(sql).await;
    app.run("rollback").await;
    rows.into_iter().flatten().flatten().collect()
}

fn stock() -> String {
    format!("set local app.tenant = '{A}'")
}

fn ours() -> String {
    format!("select tenant.enter('{A}')")
}

const SCANS: [&str; 2] = [
    "set local enable_indexscan = off; set local enable_bitmapscan = off",
    "set local enable_seqscan = off; set local enable_bitmapscan = off",
];

#[tokio::test]
async fn by_an_equality_of_its_own() {
    let db = shop("equalities").await;
    // The stock policy in the form that pg_tenant 0.1.0 had: an equality with a reader.
    db.superuser()
        .await
        .run(
            "create function app_tenant() returns uuid language sql stable
                return nullif(current_setting('app.tenant', true), '')::uuid;
             alter policy by_setting on stock_orders using (tenant_id = app_tenant());
             grant all on stock_orders to public; create index on stock_orders (tenant_id)",
        )
        .await;
    let app = db.app().await;
    let mut leaks = 0;
    for sql in READS {
        for scan in SCANS {
            let there = ids(&app, &stock(), &fill(sql, "stock_orders"), scan).await;
            leaks += usize::from(there.iter().any(|id| id == "4" || id == "5"));
            let here = ids(&app, &ours(), &fill(sql, "orders"), scan).await;
            assert!(here.iter().all(|id| ["1", "2", "3"].contains(&&**id)), "{sql}; {scan}: {here:?}");
        }
    }
    assert!(leaks >= 5, "the hole: {leaks} of {} statements read another tenant", READS.len() * SCANS.len());
}

#[tokio::test]
async fn of_what_it_changes() {
    let db = shop("changes").await;
    db.owner().await.run("grant all on stock_orders to public").await;
    let app = db.app().await;
    let delete = |table: &str| fill("delete from {t} where tenant_id = {x} and {flip} returning id", table);
    let there = ids(&app, &stock(), &delete("stock_orders"), SCANS[0]).await;
    assert_eq!(there, ["4", "5"], "the hole: it deletes another tenant's rows");
    for scan in SCANS {
        let deleted = ids(&app, &ours(), &delete("orders"), scan).await;
        assert!(deleted.iter().all(|id| ["1", "2", "3"].contains(&&**id)), "{deleted:?}");
        let steal = format!(
            "update {{t}} set tenant_id = '{A}', id = id + 100 where tenant_id = {{x}} and {{flip}} returning id"
        );
        let stolen = ids(&app, &ours(), &fill(&steal, "orders"), scan).await;
        assert!(stolen.iter().all(|id| ["101", "102", "103"].contains(&&**id)), "{stolen:?}");
        let merge = "merge into {t} using (values (1)) v on tenant_id = {x} and {flip} when matched then update set note = 'stolen'";
        ids(&app, &ours(), &fill(merge, "orders"), scan).await;
    }
    assert_eq!(app.inside_value(B, "select string_agg(note, ' ') from orders").await.as_deref(), Some("note 4 note 5"));
}

/// Plans that are kept: parameters, custom and generic, prepared inside and with no tenant; a setting that changes
/// between two FETCHes; a function that says it is stable.
#[tokio::test]
async fn that_is_kept() {
    let db = shop("kept_plans").await;
    let app = db.app().await;
    db.superuser()
        .await
        .run(&format!(
            "create sequence asked; grant all on asked to public;
             create function liar() returns uuid language plpgsql stable cost 1 as
                $$ begin return case when nextval('asked') < 3 then '{A}' else '{B}' end; end $$"
        ))
        .await;
    for mode in ["force_custom_plan", "force_generic_plan"] {
        app.run(&format!("set plan_cache_mode = {mode}; set enable_indexscan = off; set enable_bitmapscan = off"))
            .await;
        app.run(&format!("prepare p (uuid) as {}", fill("select id from {t} where tenant_id = $1", "orders"))).await;
        app.run(&format!("prepare q as {}", fill(READS[0], "orders"))).await;
        let by_parameter = ids(&app, &ours(), &format!("execute p ('{B}')"), "select").await;
        assert!(by_parameter.is_empty(), "{mode}: {by_parameter:?}");
        assert!(ids(&app, &ours(), "execute q", "select").await.is_empty(), "{mode}");
        for _ in 0..4 {
            let told = ids(&app, &ours(), "select id from orders where tenant_id = liar()", "select").await;
            assert!(told.iter().all(|id| ["1", "2", "3"].contains(&&**id)), "{mode}: {told:?}");
        }
        app.run("deallocate all").await;
    }
    app.run(&format!("begin; {}; select set_config('evil.t', '{A}', true)", ours())).await;
    app.run(&fill("declare c cursor for select id from {t} where tenant_id = {x}", "orders")).await;
    assert_eq!(app.value("fetch c").await.as_deref(), Some("1"));
    app.run(&format!("select {}", flip())).await;
    let rest = app.rows("fetch all from c").await;
    assert!(rest.iter().flatten().flatten().all(|id| id == "2" || id == "3"), "{rest:?}");
    app.run("rollback").await;
}

/// The permission is the parent's, the fence that of each partition; columns stand in another order in a child.
#[tokio::test]
async fn of_a_part_of_the_table() {
    let db = shop("parts").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create table p (id int, tenant_id uuid, note text) partition by list (id);
         create table p_1 (note text, tenant_id uuid, extra int, id int); alter table p_1 drop column extra;
         alter table p attach partition p_1 for values in (1, 2);
         create table p_2 partition of p for values in (3, 4) partition by range (id);
         create table p_21 (gone int, tenant_id uuid, id int, note text); alter table p_21 drop column gone;
         alter table p_2 attach partition p_21 for values from (3) to (5);
         create table c (tenant_id uuid, id int, note text); create table c_1 (more int) inherits (c);
         insert into p select n, case when n in (1, 3) then '{A}' else '{B}' end::uuid, 'x' from generate_series(1, 4) n;
         insert into c values ('{A}', 1, 'x'); insert into c_1 values ('{B}', 2, 'x', 0), ('{A}', 3, 'x', 0);
         grant all on p, c to public"
    ))
    .await;
    boss.run("select tenant.protect('p'), tenant.protect('c')").await;
    let app = db.app().await;
    for (table, own) in [("p", ["1", "3"]), ("c", ["1", "3"])] {
        for join in ["off", "on"] {
            let scan = format!("set local enable_partitionwise_join = {join}; {}", SCANS[0]);
            let here = ids(&app, &ours(), &fill(READS[0], table), &scan).await;
            assert!(here.is_empty(), "{table}: {here:?}");
            let mut all = ids(&app, &ours(), &format!("select id from {table} where note = 'x'"), &scan).await;
            all.sort();
            assert_eq!(all, own, "{table}");
            let joined = format!(
                "select a.id from {table} a join {table} b on a.id = b.id and a.tenant_id = b.tenant_id where a.note = 'x'"
            );
            assert_eq!(ids(&app, &ours(), &joined, &scan).await.len(), 2, "{table}");
        }
    }
}

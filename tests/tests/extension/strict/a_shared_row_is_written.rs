//! Rows of nobody are found by every scan that reads and by none that writes or locks, whatever the plan is; and the
//! planner takes no fence from either.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

const SCANS: [&str; 4] = [
    "set local enable_indexscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off",
    "set local enable_seqscan = off; set local enable_bitmapscan = off",
    "set local enable_seqscan = off; set local enable_indexscan = off; set local enable_indexonlyscan = off",
    "set local enable_hashjoin = off; set local enable_mergejoin = off",
];

/// Each finds the codes `shared`, `of a` or both.
const STATEMENTS: [(&str, &str); 22] = [
    ("select code from roles", "of a, shared"),
    ("select code from roles where id in (1, 2, 3)", "of a, shared"),
    ("select code from roles where tenant_id is null", "shared"),
    ("select code from roles where tenant_id is not null", "of a"),
    ("select code from roles where tenant_id = tenant.current_uuid()", "of a"),
    ("select code from roles where tenant_id = tenant.current_uuid() and id = 2", "of a"),
    ("select code from roles where tenant_id = tenant.current_uuid() or tenant_id is null", "of a, shared"),
    ("select code from roles where coalesce(tenant_id, tenant.current_uuid()) = tenant.current_uuid()", "of a, shared"),
    ("select r.code from roles r join roles s using (id) where s.tenant_id is null", "shared"),
    ("select code from roles where ctid = any (array(select ctid from roles))", "of a, shared"),
    ("with c as materialized (select * from roles) select code from c", "of a, shared"),
    ("select code from looks", "of a, shared"),
    ("select code from roles for update", "of a"),
    ("select code from roles where tenant_id is null for update", ""),
    ("select code from looks for no key update", "of a"),
    ("select r.code from roles r join roles s using (id) for share of s", "of a"),
    ("select s.code from roles r join roles s on r.tenant_id is null for share of r", ""),
    ("update roles set id = id returning code", "of a"),
    ("update looks set id = id where id < 10 returning code", "of a"),
    ("update roles r set id = r.id from roles s where s.tenant_id is null returning r.code", "of a"),
    ("delete from roles where tenant_id is null or id > 0 returning code", "of a"),
    ("delete from roles where id in (select id from roles for update) returning code", "of a"),
];

async fn furnish(db: &pg_tenant_tests::Database<'_>) -> Session {
    let boss = db.superuser().await;
    boss.run(&format!(
        "create table roles (tenant_id uuid, id int, code text, unique (tenant_id, id));
         create view looks with (security_invoker = true) as select * from roles;
         insert into roles values (null, 1, 'shared'), ('{A}', 2, 'of a'), ('{B}', 3, 'of b'); grant all on roles, looks to public;
         create table stock_roles (like roles); insert into stock_roles select * from roles; grant all on stock_roles to public;
         alter table stock_roles enable row level security, force row level security;
         create policy own on stock_roles using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid or tenant_id is null);
         select tenant.protect('roles', shared_rows => true)"
    ))
    .await;
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    db.app().await
}

async fn codes(app: &Session, before: &str, sql: &str) -> String {
    app.run(&format!("begin; {before}")).await;
    let mut codes: Vec<_> = app.rows(sql).await.into_iter().flatten().flatten().collect();
    app.run("rollback").await;
    codes.sort();
    codes.join(", ")
}

fn ours(scan: &str) -> String {
    format!("select tenant.enter('{A}'); {scan}")
}

#[tokio::test]
async fn by_any_scan() {
    let db = shop("shared_scans").await;
    let app = furnish(&db).await;
    // The hole: one policy FOR ALL that shows rows of nobody lets everybody delete them.
    let stock = format!("set local app.tenant = '{A}'");
    assert_eq!(codes(&app, &stock, "delete from stock_roles returning code").await, "of a, shared");
    for (sql, found) in STATEMENTS {
        for scan in SCANS {
            assert_eq!(codes(&app, &ours(scan), sql).await, found, "{sql}; {scan}");
        }
        // Plans that are kept.
        app.run(&format!("set plan_cache_mode = force_generic_plan; prepare p as {sql}")).await;
        assert_eq!(codes(&app, &ours("select"), "execute p").await, found, "{sql}");
        app.expect_error("TN001", "execute p").await;
        app.run("deallocate p; reset plan_cache_mode").await;
    }
}

/// As `a_plan_loses_the_fence` has it: the statement's own equality, whose value changes.
#[tokio::test]
async fn by_an_equality_of_its_own() {
    let db = shop("shared_equalities").await;
    let app = furnish(&db).await;
    let x = "current_setting('evil.t', true)::uuid";
    let flip = format!("set_config('evil.t', '{B}', true) is not null");
    for (from, to) in [(A, B), (B, A)] {
        let before = |scan: &str| format!("{}; select set_config('evil.t', '{from}', true)", ours(scan));
        let flip = flip.replace(B, to);
        for scan in SCANS {
            for sql in [
                format!("select code from roles where tenant_id = {x} and {flip}"),
                format!("select code from roles where (tenant_id = {x} or tenant_id is null) and {flip}"),
                format!(
                    "select r.code from roles r join roles s using (tenant_id, id) where s.tenant_id = {x} and {flip}"
                ),
                format!("delete from roles where tenant_id = {x} and {flip} returning code"),
                format!("delete from roles where (tenant_id = {x} or tenant_id is null) and {flip} returning code"),
                format!(
                    "update roles set id = id + 9 where tenant_id is not distinct from {x} and {flip} returning code"
                ),
                format!("select code from roles where tenant_id = {x} and {flip} for update"),
            ] {
                let found = codes(&app, &before(scan), &sql).await;
                assert!(!found.contains("of b"), "{sql}: {found}");
                assert!(
                    sql.starts_with("select") && !sql.ends_with("update") || !found.contains("shared"),
                    "{sql}: {found}"
                );
            }
        }
    }
    assert_eq!(
        app.inside_value(B, "select string_agg(code, ', ' order by id) from roles").await.as_deref(),
        Some("shared, of b")
    );
}

/// A condition of the statement runs for what is the tenant's and everybody's, and for no other row.
#[tokio::test]
async fn by_a_condition_that_tells() {
    let db = shop("shared_conditions").await;
    let app = furnish(&db).await;
    db.superuser()
        .await
        .run("create function tells(text) returns bool language plpgsql cost 0.0001 as $$ begin raise notice '%', $1; return true; end $$")
        .await;
    for scan in SCANS {
        for sql in [
            "select code from roles where tells(code)",
            "select code from roles where (tenant_id is null or tells(code)) and tells(code)",
            "delete from roles where tells(code)",
            "update roles set code = 'x' where tells(code)",
            "select code from roles where tells(code) for update",
            "merge into roles using (values (1)) v on tells(code) when matched and tenant_id is not null then delete",
        ] {
            codes(&app, &ours(scan), sql).await;
            let told: Vec<_> = app.notices().iter().map(|notice| notice.message().to_owned()).collect();
            assert!(
                told.iter().any(|told| told == "of a") && told.iter().all(|told| told != "of b"),
                "{sql}: {told:?}"
            );
        }
    }
}

/// The index that is asked for the current tenant alone needs no fence beside it, the two that are asked for either do.
#[tokio::test]
async fn by_an_index() {
    let db = shop("shared_index").await;
    let app = furnish(&db).await;
    let plan = async |sql: &str, scan: &str| {
        app.run(&format!("begin; {}", ours(scan))).await;
        let lines: Vec<_> =
            app.rows(&format!("explain (costs off) {sql}")).await.into_iter().flatten().flatten().collect();
        app.run("rollback").await;
        lines.join("\n")
    };
    let either = plan("select code from roles", SCANS[2]).await;
    assert!(
        either.contains("BitmapOr") && either.contains("Filter: tenant.is_current_or_shared(tenant_id)"),
        "{either}"
    );
    let nobody = plan("select code from roles where tenant_id is null", SCANS[1]).await;
    assert!(nobody.contains("Filter: ") && nobody.contains("is_current_or_shared(tenant_id)"), "{nobody}");
    let own = plan("delete from roles where id = 1", SCANS[1]).await;
    assert!(
        own.contains("Index Cond: ((tenant_id = tenant.current_uuid()) AND (id = 1))") && !own.contains("Filter"),
        "{own}"
    );
    let own = plan("select code from roles where tenant_id = tenant.current_uuid()", SCANS[0]).await;
    assert!(own.contains("tenant.is_current_or_shared(tenant_id) AND (tenant_id = tenant.current_uuid())"), "{own}");
}

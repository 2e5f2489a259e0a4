//! Rows of nobody (`shared_rows => true`) are every tenant's to read: no other row is, and none of them without a
//! tenant.

use pg_tenant_tests::{Database, Session};

use super::fixture::{A, B, catalog, stage, text};

/// Half-global: predefined roles beside those that tenants have made.
fn roles(name: &str) -> String {
    format!(
        "create table {name} (id int generated always as identity primary key, tenant_id uuid, code text);
         insert into {name} (tenant_id, code) values (null, 'admin'), (null, 'guest'), ('{A}', 'of a'), ('{B}', 'of b');
         grant all on {name} to public;"
    )
}

async fn seen(app: &Session, tenant: &str, from: &str) -> String {
    let sql = format!("select string_agg(code, ', ' order by id) from {from}");
    app.inside_value(tenant, &sql).await.unwrap_or_default()
}

async fn changes(app: &Session, tenant: &str, change: &str) -> Vec<String> {
    app.inside(tenant, change).await.into_iter().flatten().flatten().collect()
}

async fn half_global(name: &str) -> (Database<'static>, Session, Session) {
    let (db, owner) = stage(name).await;
    owner.run(&(roles("roles") + "select tenant.protect('roles', shared_rows => true)")).await;
    let app = db.app().await;
    (db, owner, app)
}

#[tokio::test]
async fn where_the_policies_are_written_by_hand() {
    let (db, owner) = stage("by_hand").await;
    owner.run(&roles("by_hand")).await;
    owner
        .run(
            "alter table by_hand enable row level security, force row level security;
             create policy s on by_hand for select using (tenant_id = tenant.current_uuid() or tenant_id is null);
             create policy i on by_hand for insert with check (tenant_id = tenant.current_uuid());
             create policy u on by_hand for update using (tenant_id = tenant.current_uuid());
             create policy d on by_hand for delete using (tenant_id = tenant.current_uuid());",
        )
        .await;
    let app = db.app().await;
    // The hole: with no tenant it answers, and one more permissive policy opens it.
    assert_eq!(text(&app, "select string_agg(code, ', ' order by id) from by_hand").await, "admin, guest");
    owner.run("create policy more on by_hand using (code is not null)").await;
    assert_eq!(text(&app, "select count(*) from by_hand").await, "4");
    owner
        .run("drop policy s on by_hand; drop policy i on by_hand; drop policy u on by_hand; drop policy d on by_hand")
        .await;
    owner.run("select tenant.protect('by_hand', shared_rows => true)").await;
    app.expect_error("TN001", "select * from by_hand").await;
    assert_eq!(seen(&app, A, "by_hand").await, "admin, guest, of a");
    assert!(changes(&app, A, "update by_hand set code = 'x' where tenant_id is null returning id").await.is_empty());
}

#[tokio::test]
async fn where_it_is_declared() {
    let (db, owner, app) = half_global("declared").await;
    app.expect_error("TN001", "select * from roles").await;
    owner.expect_error("TN001", "select * from roles where tenant_id is null").await;
    assert_eq!(seen(&app, A, "roles").await, "admin, guest, of a");
    assert_eq!(
        seen(&app, B, "roles where tenant_id is null or tenant_id = tenant.current_uuid()").await,
        "admin, guest, of b"
    );
    assert_eq!(seen(&app, B, &format!("roles where tenant_id = '{A}'")).await, "");
    assert_eq!(seen(&app, B, "roles where tenant_id = tenant.current_uuid()").await, "of b");
    // Read-only: what is changed, deleted or locked is the tenant's own.
    for change in [
        "update roles set code = code || '' returning code",
        "delete from roles returning code",
        "select code from roles for update",
        "select code from roles for key share",
        "select code from (select * from roles for share) r",
        "with u as (update roles set code = code where tenant_id is null or true returning code) select * from u",
        "delete from roles r using roles s where r.id = s.id returning r.code",
    ] {
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        let changed: Vec<_> = app.rows(change).await.into_iter().flatten().flatten().collect();
        assert_eq!(changed, ["of a"], "{change}");
        app.run("rollback").await;
    }
    for refused in [
        "insert into roles (tenant_id, code) values (null, 'mine')",
        "update roles set tenant_id = null",
        "merge into roles using (values ('admin')) v (c) on code = c when matched then update set code = 'x'",
        "merge into roles using (values ('admin')) v (c) on code = c when matched then delete",
        "merge into roles using (values (1)) v (c) on false when not matched then insert (tenant_id) values (null)",
        "insert into roles (id, code) overriding system value values (1, 'x') on conflict (id) do update set code = 'x'",
    ] {
        app.refused_inside("42501", A, refused).await;
    }
    // A new row is the tenant's, as ever; the system context and a superuser at work write those of nobody.
    assert_eq!(changes(&app, A, "insert into roles (code) values ('new') returning tenant_id::text").await, [A]);
    db.superuser().await.run("update roles set code = 'owner' where tenant_id is null and code = 'admin'").await;
    assert_eq!(seen(&app, B, "roles").await, "owner, guest, of b");
    assert_eq!(text(&owner, "select string_agg(shared_rows::text, ' ') from tenant.protected_tables").await, "true");
    assert_eq!(
        text(&owner, "select detail ->> 'shared_rows' from tenant.journal where action = 'protect'").await,
        "true"
    );
}

/// With no refusal either (`pg_tenant.strict` is off) nothing of nobody's is shown without a tenant.
#[tokio::test]
async fn with_no_tenant() {
    let (db, _, _) = half_global("nobody_asks").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.strict = off", db.roles.app)).await;
    let app = db.app().await;
    assert_eq!(text(&app, "select count(*) from roles").await, "0");
    assert_eq!(text(&app, "select tenant.is_current_or_shared(null::uuid)::text").await, "false");
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    for kind in ["uuid", "text"] {
        assert_eq!(text(&app, &format!("select tenant.is_current_or_shared(null::{kind})::text")).await, "true");
        assert_eq!(text(&app, &format!("select tenant.is_current_or_shared('{B}'::{kind})::text")).await, "false");
    }
    // The tenant has no number, so a table keyed by one has nothing for it.
    for kind in ["bigint", "integer", "smallint"] {
        assert_eq!(text(&app, &format!("select tenant.is_current_or_shared(null::{kind})::text")).await, "false");
    }
    app.run("rollback").await;
}

#[tokio::test]
async fn in_another_form() {
    let (db, owner, app) = half_global("forms").await;
    let form = catalog(&owner, "roles").await;
    // Again, by whichever words: it is left as it is.
    for again in ["select tenant.protect('roles')", "select tenant.protect('roles', shared_rows => true)"] {
        owner.run(again).await;
        assert_eq!(catalog(&owner, "roles").await, form);
    }
    owner.run(&roles("own")).await;
    let refused = owner.expect_error("TN024", "select tenant.protect('own')").await;
    assert!(refused.hint().is_some_and(|hint| hint.contains("shared_rows => true")), "{refused:?}");
    db.superuser().await.run("delete from own where tenant_id is null").await;
    owner.run("select tenant.protect('own')").await;
    let refused = owner.expect_error("TN025", "select tenant.protect('own', shared_rows => true)").await;
    let cure = refused.hint().and_then(|hint| hint.strip_prefix("In one transaction: ")).expect("a hint").to_owned();
    owner
        .run(&format!("begin; {}; commit", cure.replace("<reason>", "now with shared rows").trim_end_matches(';')))
        .await;
    assert_eq!(
        text(&owner, "select shared_rows::text from tenant.protected_tables where relation = 'own'::regclass").await,
        "true"
    );
    // And back, as it was found.
    owner.run("select tenant.unprotect('roles', 'test')").await;
    assert_eq!(text(&owner, "select count(*) from pg_policy where polrelid = 'roles'::regclass").await, "0");
    assert_eq!(text(&app, "select count(*) from roles").await, "4");
    // What cannot have rows of nobody says so.
    owner.run("create table keyed (tenant_id uuid, id int, primary key (tenant_id, id)); create table strict (tenant_id uuid not null)").await;
    for table in ["keyed", "strict"] {
        owner.expect_error("TN022", &format!("select tenant.protect('{table}', shared_rows => true)")).await;
    }
    owner.run("create table taken (tenant_id uuid); create policy tenant_isolation_delete on taken for delete using (true)").await;
    owner.expect_error("TN026", "select tenant.protect('taken', shared_rows => true)").await;
    owner.expect_error("TN021", "select tenant.protect('taken', 'company', shared_rows => true)").await;
}

#[tokio::test]
async fn of_a_schema() {
    let (db, owner) = stage("schema_shares").await;
    db.superuser().await.run(&format!("create schema app authorization {}", db.roles.owner)).await;
    owner.run("create table app.roles (tenant_id uuid); create table app.orders (tenant_id uuid)").await;
    let protect = |more: &str| {
        format!(
            "select string_agg(relation || ' ' || result, ', ' order by relation::text) from tenant.protect_schema('app', shared_rows => '{{roles}}'{more})"
        )
    };
    owner.expect_error("42P01", "select tenant.protect_schema('app', shared_rows => '{rolls}')").await;
    let steps = "select array_to_string(statements, '; ') from tenant.protect_schema('app', shared_rows => '{roles}', dry_run => true)
        where relation = 'app.roles'::regclass";
    assert_eq!(text(&owner, steps).await.matches("create policy").count(), 4);
    assert_eq!(text(&owner, &protect("")).await, "app.orders protected, app.roles protected");
    assert_eq!(text(&owner, &protect("")).await, "app.orders protected already, app.roles protected already");
    owner.run("call tenant.protect_schema_stepwise('app', shared_rows => '{roles}')").await;
    let forms =
        "select string_agg(relation || ' ' || shared_rows, ', ' order by relation::text) from tenant.protected_tables";
    assert_eq!(text(&owner, forms).await, "app.orders false, app.roles true");
}

/// A partition for rows of nobody, one that can have none, one that is made later, one that was protected by itself.
#[tokio::test]
async fn in_partitions() {
    let (db, owner) = stage("shared_parts").await;
    let app = db.app().await;
    owner
        .run(&format!(
            "create table parts (tenant_id uuid, id int, code text) partition by list (tenant_id);
             create table parts_null partition of parts for values in (null);
             create table parts_a partition of parts for values in ('{A}'); alter table parts_a alter tenant_id set not null;
             create table base (tenant_id uuid, id int, code text); create table child (tenant_id uuid not null, more int) inherits (base);
             grant all on parts, base, child, parts_null, parts_a to public;
             select tenant.protect('parts', shared_rows => true), tenant.protect('base', shared_rows => true);
             create table parts_b partition of parts for values in ('{B}');
             create table parts_c (code text, id int, tenant_id uuid not null); select tenant.protect('parts_c');
             alter table parts attach partition parts_c for values in (default)"
        ).replace("for values in (default)", "default"))
        .await;
    db.superuser()
        .await
        .run(&format!(
            "insert into parts values (null, 1, 'all'), ('{A}', 2, 'of a'), ('{B}', 3, 'of b');
             insert into base values (null, 1, 'all'), ('{B}', 2, 'of b'); insert into child values ('{A}', 3, 'of a', 1)"
        ))
        .await;
    for table in ["parts", "base"] {
        for scan in ["on", "off"] {
            app.run(&format!("set enable_seqscan = {scan}")).await;
            assert_eq!(seen(&app, A, table).await, "all, of a");
            assert_eq!(seen(&app, B, table).await, "all, of b");
            assert_eq!(seen(&app, A, &format!("{table} where tenant_id is null")).await, "all");
        }
        for change in
            [format!("update {table} set code = code returning code"), format!("delete from {table} returning code")]
        {
            app.run(&format!("begin; select tenant.enter('{A}')")).await;
            assert_eq!(app.rows(&change).await, [[Some("of a".to_owned())]], "{change}");
            app.run("rollback").await;
        }
    }
    assert_eq!(seen(&app, A, "parts_null").await, "all");
    assert_eq!(seen(&app, A, "child").await, "of a");
    assert!(changes(&app, A, "update parts_null set code = 'x' returning code").await.is_empty());
    app.refused_inside("42501", A, "update parts set tenant_id = null").await;
    let forms =
        "select string_agg(relation || ' ' || shared_rows, ', ' order by relation::text) from tenant.protected_tables";
    assert_eq!(
        text(&owner, forms).await,
        "base true, child true, parts true, parts_a true, parts_b true, parts_c false, parts_null true"
    );
}

/// Those who write rows of nobody, and what tells of them with no tenant.
#[tokio::test]
async fn by_who_works_across_tenants() {
    let (db, owner, app) = half_global("across").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant tenant_system to {}; grant select, insert on roles to tenant_system", db.roles.owner))
        .await;
    owner.run("begin; select tenant.enter_system_as_owner('roles for all')").await;
    assert_eq!(
        text(&owner, "update roles set code = upper(code) where tenant_id is null and id = 1 returning code").await,
        "ADMIN"
    );
    owner.run("insert into roles (code) values ('new'); commit").await;
    boss.run("begin; select tenant.enter_system('roles for all', write => true); insert into roles (code) values ('more'); commit").await;
    assert_eq!(seen(&app, A, "roles").await, "ADMIN, guest, of a, new, more");
    // A row of nobody is no tenant's, so nobody is told by it which tenant to enter.
    owner.run("create index on roles (code); select tenant.allow_lookup('roles', 'code', 'test')").await;
    assert_eq!(text(&app, "select count(*) from tenant.lookup('roles', 'code', 'guest')").await, "0");
    assert_eq!(text(&app, "select tenant_id from tenant.lookup('roles', 'code', 'of b')").await, B);
}

//! Where rows of nobody are everybody's to read, three policies stand together: no command takes one of them, and
//! without one the table is closed. Nor does a foreign key make rows nobody's.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

const POLICIES: [&str; 3] = ["tenant_isolation", "tenant_isolation_update", "tenant_isolation_delete"];

/// The owner of `roles`, half-global, with a row of nobody, one of each tenant and a permissive policy of its own.
async fn furnish(db: &Database<'_>) -> Session {
    let owner = db.protector().await;
    owner
        .run(&format!(
            "create table roles (tenant_id uuid, id int, code text, unique (tenant_id, id)); grant all on roles to public;
             insert into roles values (null, 1, 'shared'), ('{A}', 2, 'of a'), ('{B}', 3, 'of b');
             select tenant.protect('roles', shared_rows => true); create policy whichever on roles using (true)"
        ))
        .await;
    owner
}

#[tokio::test]
async fn by_the_owner() {
    let db = shop("three").await;
    let owner = furnish(&db).await;
    for policy in POLICIES {
        for command in [
            format!("drop policy {policy} on roles"),
            format!("drop policy if exists {policy} on public.roles cascade"),
            format!("alter policy {policy} on roles using (true)"),
            format!("alter policy {policy} on roles using (tenant_id is null)"),
            format!("alter policy {policy} on roles to current_user"),
            format!("alter policy {policy} on roles rename to other"),
            format!("do $$ begin drop policy {policy} on roles; end $$"),
        ] {
            owner.expect_error("TN030", &command).await;
        }
    }
    for command in [
        "alter policy tenant_isolation on roles with check (true)",
        "alter table roles drop column tenant_id cascade",
        "alter table roles alter tenant_id type text",
        "alter table roles disable row level security",
        "alter table roles no force row level security",
    ] {
        owner.expect_error("TN030", command).await;
    }
    owner.expect_error("TN031", "truncate roles").await;
    // What else is done to it is the owner's, and so is a policy for one command beside the usual fence.
    owner
        .run(
            "drop policy whichever on roles; drop policy tenant_access on roles; create policy whichever on roles using (true);
             alter table roles add more int; alter table roles alter tenant_id drop not null",
        )
        .await
}

#[tokio::test]
async fn behind_the_guards() {
    let db = shop("torn").await;
    let (owner, boss, app) = (furnish(&db).await, db.superuser().await, db.app().await);
    let own = "tenant_id = tenant.current_uuid() and tenant.is_current(tenant_id)";
    let shared = "(tenant_id = tenant.current_uuid() or tenant_id is null) and tenant.is_current_or_shared(tenant_id)";
    // The hole is PostgreSQL's: without the policy rows of nobody are changed, with another one made.
    for (lost, stolen) in [
        ("drop policy tenant_isolation_update on roles", "update roles set code = 'x' where tenant_id is null"),
        ("drop policy tenant_isolation_delete on roles", "delete from roles where tenant_id is null"),
        ("drop policy tenant_isolation on roles", "select * from roles"),
        (
            &format!("alter policy tenant_isolation on roles with check ({shared})"),
            "insert into roles values (null, 9)",
        ),
        ("alter policy tenant_isolation_update on roles using (true)", "update roles set code = 'x'"),
        (&format!("alter policy tenant_isolation_delete on roles using ({shared})"), "delete from roles"),
        (
            "alter policy tenant_isolation_update on roles using (tenant_id = tenant.current_uuid())",
            "select * from roles for share",
        ),
        ("alter policy tenant_isolation on roles to current_user", "select * from roles"),
    ] {
        boss.run(&format!("set pg_tenant.guards = off; {lost}; reset pg_tenant.guards")).await;
        let refused = app.refused_inside("TN012", A, stolen).await;
        assert!(refused.hint().is_some_and(|hint| hint.contains("shared_rows => true")), "{refused:?}");
        app.expect_error("TN012", stolen).await;
        owner.expect_error("TN012", "select * from roles").await;
        if lost.starts_with("alter") {
            // What stands under its name is not what is to be made: its owner decides.
            let name = lost.split(' ').nth(2).unwrap_or_default();
            boss.run(&format!("set pg_tenant.guards = off; drop policy {name} on roles; reset pg_tenant.guards")).await;
        }
        owner.run("select tenant.protect('roles')").await;
        let seen = app.inside_value(A, "select string_agg(code, ', ' order by id) from roles").await;
        assert_eq!(seen.as_deref(), Some("shared, of a"), "{lost}");
        app.inside(A, "update roles set code = code; delete from roles where false").await;
    }
    assert_eq!(
        boss.value("select count(*) from roles where code in ('shared', 'of a', 'of b')").await.as_deref(),
        Some("3")
    );
    // All three gone at once: it was protected, as the journal says.
    let all = POLICIES.map(|policy| format!("drop policy {policy} on roles; ")).concat();
    boss.run(&format!(
        "set pg_tenant.guards = off; {all} alter table roles disable row level security; reset pg_tenant.guards"
    ))
    .await;
    app.refused_inside("TN012", A, "select * from roles").await;
    owner.run("select tenant.protect('roles', shared_rows => true)").await;
    // The usual fence is enough by itself, whatever is left of the others.
    boss.run(&format!(
        "set pg_tenant.guards = off; alter policy tenant_isolation on roles using ({own}); reset pg_tenant.guards"
    ))
    .await;
    assert_eq!(app.inside_value(A, "select string_agg(code, ', ') from roles").await.as_deref(), Some("of a"));
    owner.run("drop policy tenant_isolation_update on roles; drop policy tenant_isolation_delete on roles").await;
    owner.expect_error("TN030", &format!("alter policy tenant_isolation on roles using ({shared})")).await;
}

/// The action of a foreign key is PostgreSQL's own, outside of all policies.
#[tokio::test]
async fn by_a_foreign_key() {
    let db = shop("published").await;
    let (owner, boss, app) = (furnish(&db).await, db.superuser().await, db.app().await);
    owner
        .run(&format!(
            "create table companies (id uuid primary key default gen_random_uuid()); insert into companies values ('{A}'), ('{B}');
             create table sites (tenant_id uuid, id int, unique (tenant_id, id)); insert into sites values ('{A}', 2), ('{B}', 3), ('{A}', 7);
             select tenant.protect('companies', 'id'), tenant.protect('sites'); grant all on companies, sites to public"
        ))
        .await;
    let keys = [
        "foreign key (tenant_id) references companies on delete set null",
        "foreign key (tenant_id) references companies on update set null",
        "foreign key (tenant_id) references companies on delete set default",
        "foreign key (tenant_id, id) references sites (tenant_id, id) on delete set null",
        "foreign key (tenant_id, id) references sites (tenant_id, id) on delete set null (id, tenant_id)",
    ];
    // The hole: a tenant's row becomes everybody's.
    boss.run(&format!("begin; set local pg_tenant.guards = off; alter table roles add {}; commit", keys[3])).await;
    app.inside(B, "delete from sites where id = 3").await;
    assert_eq!(
        app.inside_value(A, "select string_agg(code, ', ' order by id) from roles").await.as_deref(),
        Some("shared, of a, of b")
    );
    boss.run("alter table roles drop constraint roles_tenant_id_id_fkey; delete from roles where code = 'of b'").await;
    for key in keys {
        owner.expect_error("TN073", &format!("alter table roles add {key}")).await; // TN073
        owner.expect_error("TN073", &format!("alter table roles add {key} not valid")).await;
        owner.run(&format!("create table other (tenant_id uuid, id int); alter table other add {key}")).await;
        let refused = owner.expect_error("TN073", "select tenant.protect('other', shared_rows => true)").await;
        assert!(refused.hint().is_some(), "{refused:?}");
        // With the tenant column not null the key fails instead.
        owner.run("select tenant.protect('other'); drop table other").await;
    }
    for key in [
        "foreign key (tenant_id) references companies on delete cascade",
        "foreign key (tenant_id) references companies on update restrict",
        "foreign key (tenant_id, id) references sites (tenant_id, id) on delete set null (id)",
    ] {
        owner.run(&format!("alter table roles add constraint fk {key}; alter table roles drop constraint fk")).await;
        owner.run(&format!("create table other (tenant_id uuid, id int, {key}); select tenant.protect('other', shared_rows => true); drop table other")).await;
    }
    // By a partition that brings one along.
    owner
        .run(
            "create table parts (tenant_id uuid, id int) partition by range (id); select tenant.protect('parts', shared_rows => true);
             create table part (tenant_id uuid references companies on delete set null, id int)",
        )
        .await;
    owner.expect_error("TN073", "alter table parts attach partition part for values from (0) to (9)").await;
}

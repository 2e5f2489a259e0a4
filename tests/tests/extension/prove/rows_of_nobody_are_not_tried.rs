//! The proof of a table with shared rows tries these too.

use super::fixture::proof;
use pg_tenant_tests::{Database, Session, database};

async fn half_global(name: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.protector()
        .await
        .run(
            "create table kinds (tenant_id uuid, id int generated always as identity primary key, code text not null unique);
             create table roles (id bigserial primary key, tenant_id uuid, code varchar(20) not null, kind int not null references kinds,
                unique (tenant_id, code));
             create table halves (tenant_id uuid, id int not null, note text) partition by list (tenant_id);
             create table halves_null partition of halves for values in (null);
             create table halves_rest partition of halves default;
             create table uses (tenant_id uuid, role bigint not null references roles, primary key (tenant_id, role));
             create view open_roles with (security_invoker) as select code from roles;
             insert into kinds (code) values ('of all'); insert into roles (code, kind) values ('admin', 1), ('guest', 1);
             select tenant.protect(t, shared_rows => true) from unnest('{kinds, roles, halves}'::regclass[]) t;
             select tenant.protect('uses')",
        )
        .await;
    let boss = db.superuser().await;
    (db, boss)
}

#[tokio::test]
async fn but_for_where_they_are_none() {
    let (db, boss) = half_global("halves").await;
    for call in ["".into(), format!("as_role => '{}'", db.roles.app)] {
        let untold = "passed is not true and not (path = 'on conflict' and got in ('0A000', '23505'))";
        assert_eq!(proof(&boss, &call, untold).await, [""; 0], "{call}");
    }
    let tried = proof(&boss, "", "path like '%nobody%' and relation in ('roles'::regclass, 'uses'::regclass)").await;
    assert_eq!(
        tried,
        [
            "roles: rows of nobody: 3 rows",
            "roles: rows of nobody with no tenant: TN001",
            "roles: rows of nobody for update: 0 rows",
            "roles: update of nobody's: 0 rows",
            "roles: delete of nobody's: 0 rows",
            "roles: merge of nobody's: 42501",
            "roles: insert of nobody's: 42501",
            "roles: update to nobody's: 42501"
        ]
    );
    assert_eq!(proof(&boss, "", "path = 'count' and relation = 'roles'::regclass").await, ["roles: count: 4 rows"]);
    assert_eq!(boss.value("select count(*) from roles").await.as_deref(), Some("2"), "undone");
}

#[tokio::test]
async fn and_a_weakening_goes_unseen() {
    let (_db, boss) = half_global("weakened_halves").await;
    let all = "path like 'mutation: %' and relation <> 'uses'::regclass";
    assert_eq!(proof(&boss, "mutate => true", &format!("{all} and passed is not true")).await, [""; 0]);
    // Thirteen for each of the five.
    assert_eq!(proof(&boss, "mutate => true", all).await.len(), 65);
    // A policy of the owner's own hides them.
    boss.run(
        "drop policy tenant_access on roles; create policy own on roles using (tenant_id = tenant.current_uuid())",
    )
    .await;
    let hidden = "passed is false and path = 'rows of nobody'";
    assert_eq!(proof(&boss, "", hidden).await, ["roles: rows of nobody: 0 rows"]);
    boss.run("set pg_tenant.guards = off; drop policy tenant_isolation_update on halves; reset pg_tenant.guards").await;
    let untold = "passed is not true and relation = 'halves'::regclass";
    let closed = "halves: plant: the protection of table public.halves is incomplete";
    assert_eq!(proof(&boss, "", untold).await, [closed]);
}

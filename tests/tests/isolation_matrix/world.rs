//! The roles and the kinds of tables of the matrix. In every table the rows 1, 2, 3 are of tenant a, 4 and 5 of b.

use std::collections::BTreeMap;

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Database, Session};

/// A kind of table.
pub struct Kind {
    /// In the golden.
    pub name: &'static str,
    /// In SQL.
    pub relation: &'static str,
    /// The tenants a and b, in the type of its tenant column.
    pub tenants: [&'static str; 2],
    /// Whether its rows are to be seen by their tenant only.
    pub protected: bool,
}

const UUIDS: [&str; 2] = [A, B];
const NUMBERS: [&str; 2] = ["11", "22"];

const fn kind(name: &'static str, relation: &'static str, tenants: [&'static str; 2], protected: bool) -> Kind {
    Kind { name, relation, tenants, protected }
}

pub const KINDS: [Kind; 12] = [
    kind("uuid table", "t_uuid", UUIDS, true),
    kind("bigint table", "t_bigint", NUMBERS, true),
    kind("text table", "t_text", UUIDS, true),
    kind("partitioned table", "t_root", UUIDS, true),
    kind("partition", "t_leaf", UUIDS, true),
    kind("parent table", "t_parent", UUIDS, true),
    kind("child table", "t_child", UUIDS, true),
    kind("invoker's view", "v_invoker", UUIDS, true),
    kind("owner's view", "v_owner", UUIDS, true),
    kind("superuser's view", "v_super", UUIDS, true),
    kind("shared table", "t_shared", UUIDS, false),
    kind("unprotected table", "t_open", UUIDS, false),
];

/// A role, and how it logs in to work on tables of this kind.
pub struct Role {
    pub name: &'static str,
    /// The one for the kinds keyed by uuid and text, the one for bigint: they differ for the bound role.
    sessions: [Session; 2],
    /// Lives inside tenant a.
    pub bound: bool,
    /// Works on all tenants where it has entered none.
    pub exempt: bool,
    /// May enter the system context.
    pub system: bool,
    /// By what it enters each tenant, where it may only by grants.
    pub grants: BTreeMap<String, String>,
}

impl Role {
    pub fn session(&self, kind: &Kind) -> &Session {
        &self.sessions[usize::from(kind.tenants == NUMBERS)]
    }
}

/// Makes the tables, and gives the roles all rights on them but those that this test is about.
pub async fn build(db: &Database<'_>) -> Vec<Role> {
    let r = &db.roles;
    let (superuser, owner, admin) = (db.superuser().await, db.owner().await, db.admin().await);
    admin.run("select tenant.create(id) from unnest('{11,22}'::text[]) id").await;
    admin.run(&format!("select tenant.create('{A}'), tenant.create('{B}')")).await;
    let bound = [format!("regress_{}_bound_a", db.name), format!("regress_{}_bound_11", db.name)];
    for name in &bound {
        superuser.run(&format!("create role {name} login; grant tenant_user to {name}")).await;
    }
    admin.run(&format!("select tenant.bind_role('{}', '{A}'), tenant.bind_role('{}', '11')", bound[0], bound[1])).await;

    let operator = format!("regress_{}_operator", db.name);
    superuser.run(&format!("create role {operator} login; grant tenant_user, tenant_system to {operator}")).await;

    let support = format!("regress_{}_support", db.name);
    superuser.run(&format!("create role {support} login; grant tenant_support to {support}")).await;

    let columns = "id int, note text";
    owner
        .run(&format!(
            "create table t_uuid (tenant_id uuid, {columns}); create table t_bigint (tenant_id bigint, {columns});
             create table t_text (tenant_id text, {columns}); create table t_parent (tenant_id uuid, {columns});
             create table t_child () inherits (t_parent);
             create table t_root (tenant_id uuid, {columns}) partition by range (id);
             create table t_leaf partition of t_root for values from (0) to (1000);
             create table t_shared (tenant_id uuid, {columns}); create table t_open (tenant_id uuid, {columns});
             create view v_invoker with (security_invoker) as table t_uuid; create view v_owner as table t_uuid"
        ))
        .await;
    superuser.run(&format!("create view v_super as table t_uuid; grant all on v_super to {}", r.owner)).await;
    for kind in KINDS.iter().filter(|kind| kind.relation.starts_with("t_") && kind.relation != "t_leaf") {
        let ([a, b], t) = (kind.tenants, kind.relation);
        let rows = format!("('{a}', 1), ('{a}', 2), ('{a}', 3), ('{b}', 4), ('{b}', 5)");
        owner.run(&format!("insert into {t} (tenant_id, id) values {rows}")).await;
    }
    record_changes(&superuser).await;
    superuser
        .run(&format!(
            "select tenant.protect(t) from unnest('{{t_uuid,t_bigint,t_text,t_parent,t_root}}'::regclass[]) t;
             select tenant.share('t_shared', 'for the matrix');
             grant tenant_user to {}, {}, {};
             grant select, insert, update, delete, truncate on all tables in schema public to {}, {}, {}, {}, {}, {operator}, {support}, tenant_system",
            r.owner, r.admin, r.backup, r.app, r.backup, r.bystander, bound[0], bound[1]
        ))
        .await;

    let role = async |name, logins: [&str; 2]| {
        let sessions = [db.connect(logins[0]).await, db.connect(logins[1]).await];
        let system = name == "operator" || name == "superuser";
        Role { name, sessions, bound: name == "bound", exempt: name == "superuser", system, grants: BTreeMap::new() }
    };
    let mut by_grants = role("support", [&support; 2]).await;
    for tenant in UUIDS.iter().chain(&NUMBERS) {
        let sql = format!("select tenant.impersonate('{tenant}', null, 'the matrix', '1 hour', write => true)");
        let id = by_grants.sessions[0].value(&sql).await.expect("an id");
        by_grants.grants.insert((*tenant).to_owned(), id);
    }
    vec![
        role("owner", [&r.owner; 2]).await,
        role("app", [&r.app; 2]).await,
        role("bound", [&bound[0], &bound[1]]).await,
        role("admin", [&r.admin; 2]).await,
        role("backup", [&r.backup; 2]).await,
        role("bystander", [&r.bystander; 2]).await,
        role("superuser", ["postgres"; 2]).await,
        role("operator", [&operator; 2]).await,
        by_grants,
    ]
}

/// Each row that a statement changes is written down by a trigger: what it says of itself is not asked.
async fn record_changes(superuser: &Session) {
    let mut sql = "create table changes (tenant_id text); grant select on changes to public;
        create function record() returns trigger language plpgsql security definer set search_path = public as $$ begin
            if tg_op = 'TRUNCATE' then insert into changes values ('all');
            elsif tg_op = 'INSERT' then insert into changes values (new.tenant_id);
            else insert into changes values (old.tenant_id); end if;
            return null;
        end $$;"
        .to_owned();
    for kind in KINDS.iter().filter(|kind| kind.relation.starts_with("t_")) {
        let t = kind.relation;
        sql += &format!("create trigger truncated after truncate on {t} execute function record();");
        if t != "t_leaf" {
            sql += &format!(
                "create trigger changed after insert or update or delete on {t} for each row execute function record();"
            );
        }
    }
    superuser.run(&sql).await;
}

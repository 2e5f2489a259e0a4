//! The same tables in three schemas: `stock` (PostgreSQL's own row-level security over the setting `app.tenant`),
//! `plain` (protected) and `hard` (protected and hardened); and a probe that acts alike in all of them.

use pg_tenant_tests::{Database, Session, database};
use tokio_postgres::SimpleQueryMessage;

pub use pg_tenant_tests::shop::{A, B};

/// A database with the tenants [`A`] and [`B`], and a session of the owner, who is `tenant_admin` as well.
pub async fn stage(name: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.admin().await.run(&format!("select tenant.create('{A}'), tenant.create('{B}')")).await;
    db.superuser().await.run(&format!("grant create on database {} to {}", db.name, db.roles.owner)).await;
    let owner = db.protector().await;
    (db, owner)
}

/// [`stage`], with these tables three times, each with the rows that `rows` inserts.
pub async fn three(name: &str, tables: &[&str], ddl: &str, rows: &str) -> (Database<'static>, Session) {
    let (db, owner) = stage(name).await;
    let (app, names) = (&db.roles.app, tables.join(","));
    for schema in ["stock", "plain", "hard"] {
        owner
            .run(&format!(
                "create schema {schema}; grant usage on schema {schema} to {app}; set search_path = {schema}, public; {ddl}; {rows};
                 grant select, insert, update, delete on {names} to {app}; reset search_path"
            ))
            .await;
    }
    for table in tables {
        owner
            .run(&format!(
                "alter table stock.{table} enable row level security, force row level security;
                 create policy by_setting on stock.{table}
                    using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);"
            ))
            .await;
    }
    owner.run("select tenant.protect_schema('plain'), tenant.protect_schema('hard', harden => true)").await;
    (db, owner)
}

/// What a statement came to, in a transaction of `tenant` that is rolled back: `ok n` rows, or a SQLSTATE.
pub async fn probe(app: &Session, schema: &str, tenant: &str, sql: &str) -> String {
    let begin = format!(
        "begin; set local search_path = {schema}; set local lock_timeout = '200ms';
         select set_config('app.tenant', '{tenant}', true), tenant.enter('{tenant}')"
    );
    app.run(&begin).await;
    let answer = app.simple_query(sql).await;
    app.run("rollback").await;
    match answer {
        Ok(messages) => {
            let count = |message: &SimpleQueryMessage| match message {
                SimpleQueryMessage::CommandComplete(n) => Some(*n),
                _ => None,
            };
            format!("ok {}", messages.iter().rev().find_map(count).unwrap_or_default())
        }
        Err(e) => e.as_db_error().map_or_else(|| e.to_string(), |e| e.code().code().to_owned()),
    }
}

/// What this probe came to in each of the three schemas.
pub async fn each(db: &Database<'_>, tenant: &str, sql: &str) -> [String; 3] {
    let app = db.app().await;
    [
        probe(&app, "stock", tenant, sql).await,
        probe(&app, "plain", tenant, sql).await,
        probe(&app, "hard", tenant, sql).await,
    ]
}

/// Every key of the database's tables, as their definitions say; no oid, no order of creation.
pub async fn keys(session: &Session) -> String {
    let rows = session
        .rows(
            "select format('%s %s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint'),
                    (select relname from pg_class where oid = conindid and contype <> 'f'))
                from pg_constraint where connamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and conrelid <> 0 and contype <> 'n'
                    and conrelid >= 16384 order by 1;
             select pg_get_indexdef(indexrelid) || indisreplident || indisclustered || indisvalid || coalesce(obj_description(indexrelid, 'pg_class'), '')
                from pg_index join pg_class on oid = indexrelid
                where relnamespace not in ('tenant'::regnamespace, 'tenant_internal'::regnamespace, 'pg_catalog'::regnamespace, 'pg_toast'::regnamespace) order by 1",
        )
        .await;
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
}

//! Two tenants with people: in A an owner, an admin, an editor and a viewer; in B an owner, and A's editor as a viewer.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};
use tokio_postgres::error::DbError;

pub async fn staged(name: &str) -> (Database<'static>, Session, Session) {
    let db = shop(name).await;
    let (admin, app) = (db.admin().await, db.app().await);
    people(&admin).await;
    (db, admin, app)
}

pub async fn people(admin: &Session) {
    admin
        .run(&format!(
            "select tenant.define_role('viewer', 10, '{{invoice.read}}'),
                tenant.define_role('editor', 20, '{{invoice.read, invoice.write}}'),
                tenant.define_role('admin', 30, '{{invoice.read, invoice.write, members.manage}}'),
                tenant.define_role('owner', 40, '{{invoice.read, invoice.write, invoice.purge, members.manage}}');
             select tenant.add_member('{A}', u, u) from unnest('{{owner,admin,editor,viewer}}'::text[]) u;
             select tenant.add_member('{B}', 'boss', 'owner'), tenant.add_member('{B}', 'editor', 'viewer')"
        ))
        .await;
}

/// The first column of the only row, in a transaction of the tenant for the actor.
pub async fn as_actor(session: &Session, tenant: &str, actor: &str, sql: &str) -> Option<String> {
    session.run(&format!("begin; select tenant.enter('{tenant}', '{actor}')")).await;
    let value = session.value(sql).await;
    session.run("commit").await;
    value
}

/// What the actor is and may: its role, then of reading, writing and purging those that it may.
pub const STANDING: &str = "select concat_ws(' ', coalesce(tenant.current_member_role(), '-'),
    case when tenant.can('invoice.read') then 'read' end, case when tenant.can('invoice.write') then 'write' end,
    case when tenant.can('invoice.purge') then 'purge' end)";

pub async fn standing(session: &Session, tenant: &str, actor: &str) -> String {
    as_actor(session, tenant, actor, STANDING).await.expect("a text")
}

/// A statement for the actor that must be refused, and says why and what to do.
pub async fn refused(session: &Session, code: &str, tenant: &str, actor: &str, sql: &str) -> DbError {
    session.run(&format!("begin; select tenant.enter('{tenant}', '{actor}')")).await;
    let refused = session.expect_error(code, sql).await;
    session.run("rollback").await;
    assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    refused
}

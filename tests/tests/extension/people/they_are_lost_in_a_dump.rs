//! A dump brings roles, members, invitations and the policies that ask for permissions, each meaning what it meant.

use pg_tenant_tests::Cluster;
use pg_tenant_tests::shop::A;

use super::fixture::{staged, standing};

const ALL: &str = "select (select string_agg(p::text, ' ' order by p) from tenant.permissions p),
    (select string_agg(r::text, ' ' order by r.role) from tenant.roles r),
    (select string_agg(m::text, ' ' order by m.tenant_id, m.user_id) from tenant.members m),
    (select string_agg(i::text, ' ' order by i.id) from tenant.invitations i),
    (select string_agg(polname || pg_get_expr(polqual, polrelid), ' ' order by polname) from pg_policy where polname ~ 'invoice')";

#[tokio::test]
async fn or_in_a_restore() {
    let (db, admin, _) = staged("people_dumped").await;
    // In another order than a restore would number them.
    admin.run("select tenant.define_role('auditor', 15, '{audit.read, invoice.read}')").await;
    let invite = format!("select tenant.invite('{A}', 'carol@example.com', 'auditor')");
    let token = admin.value(&invite).await.expect("a token");
    db.protector().await.run("select tenant.require_permission('orders', 'update', 'invoice.write')").await;
    let target = Cluster::shared().plain_database("people_restored").await;
    target.psql("postgres", &db.dump("postgres").expect("pg_dump")).expect("psql");
    let (boss, restored) = (db.superuser().await, target.superuser().await);
    assert_eq!(restored.rows(ALL).await, boss.rows(ALL).await);
    let app = target.connect(&db.roles.app).await;
    assert_eq!(standing(&app, A, "editor").await, "editor read write");
    app.run(&format!("select tenant.accept_invitation('{token}', 'carol')")).await;
    assert_eq!(standing(&app, A, "carol").await, "auditor read");
    app.run(&format!("begin; select tenant.enter('{A}', 'carol')")).await;
    app.expect_error("TN142", "update orders set note = 'x'").await;
    app.run("rollback").await;
    // The next permission gets the next number.
    restored.run("select tenant.define_role('auditor', 15, '{audit.read, audit.write}')").await;
    let next = "select number = (select count(*) from tenant.permissions) - 1 from tenant.permissions where permission = 'audit.write'";
    assert_eq!(restored.value(next).await.as_deref(), Some("t"));
}

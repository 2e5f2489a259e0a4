//! `tenant.activity` says who is in what, nothing of statements, and nothing of what is over.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn what_has_ended_is_not_shown() {
    let db = shop("activity").await;
    let (app, admin) = (db.app().await, db.admin().await);
    let seen =
        format!("select context, tenant_id, actor, state from tenant.activity where role_name = '{}'", db.roles.app);
    assert_eq!(admin.rows(&seen).await[0][0].as_deref(), Some("none"));
    app.run(&format!("begin; select tenant.enter('{A}', 'ann')")).await;
    let own = ["tenant", A, "ann", "idle in transaction"].map(|text| Some(text.to_owned()));
    assert_eq!(admin.rows(&seen).await, [own.to_vec()]);
    app.run("commit").await;
    let row = admin.rows(&seen).await.remove(0);
    assert_eq!(row[..3], [Some("none".into()), None, None]);
    app.run(&format!("begin; savepoint s; select tenant.enter('{A}'); rollback to s")).await;
    assert_eq!(admin.rows(&seen).await[0][0].as_deref(), Some("none"), "a savepoint has undone it");
    app.run("rollback").await;
    drop(app);
}

#[tokio::test]
async fn the_system_context_is_shown_as_such() {
    let db = shop("activity_system").await;
    let operator = format!("regress_{}_operator", db.name);
    db.superuser().await.run(&format!("create role {operator} login in role tenant_system")).await;
    let (operator, admin) = (db.connect(&operator).await, db.admin().await);
    operator.run("begin; select tenant.enter_system('a report on orders')").await;
    let seen = "select tenant_id, actor from tenant.activity where context = 'system'";
    assert_eq!(admin.rows(seen).await, [[None, None]]);
}

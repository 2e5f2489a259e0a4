//! Every change of the registry is notified to who listens, and the notification says no more than that there was one.

use std::future::poll_fn;
use std::time::Duration;

use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls, Notification};

/// Who may connect may listen, and needs no right for it.
async fn listener(db: &Database<'_>) -> (Client, UnboundedReceiver<Notification>) {
    let (client, mut connection) = db.config(&db.roles.bystander).connect(NoTls).await.expect("connect");
    let (sender, heard) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification);
            }
        }
    });
    client.batch_execute("listen tenant_registry").await.expect("listen");
    (client, heard)
}

#[tokio::test]
async fn of_any_kind() {
    let db = shop("announce").await;
    let (client, mut heard) = listener(&db).await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    let replica = format!(
        "set session_replication_role = replica; update tenant.tenants set plan = 'gold' where id = '{A}';
         reset session_replication_role"
    );
    for (session, change) in [
        (&admin, "select tenant.create('new', slug => 'n')".to_owned()),
        (&admin, format!("select tenant.suspend('{A}')")),
        (&admin, format!("select tenant.resume('{A}')")),
        (&admin, "update tenant.tenants set slug = 'newer', plan = 'secret' where id = 'new'".to_owned()),
        (&admin, "begin; select tenant.create('x'), tenant.create('y'), tenant.suspend('x'); commit".to_owned()),
        (&superuser, replica),
        (&superuser, format!("begin; select tenant.enter('{B}'); select tenant.suspend('{A}'); commit")),
    ] {
        session.run(&change).await;
        let next = tokio::time::timeout(Duration::from_secs(60), heard.recv()).await;
        let told = next.unwrap_or_else(|_| panic!("unheard: {change}")).expect("a notification");
        assert_eq!((told.channel(), told.payload()), ("tenant_registry", ""), "{change}");
        // It comes once, and not before the commit that it tells of.
        client.batch_execute("select 1").await.unwrap();
        assert!(heard.try_recv().is_err(), "told twice of {change}");
    }
    let several = "begin; savepoint s; select tenant.create('in'); release s; savepoint s; select tenant.create('out'); \
        rollback to s; commit";
    admin.run(several).await;
    let told = tokio::time::timeout(Duration::from_secs(60), heard.recv()).await.expect("unheard: a savepoint");
    assert_eq!(told.expect("a notification").channel(), "tenant_registry");
    for undone in [
        "begin; select tenant.create('undone'); rollback",
        "begin; savepoint s; select tenant.create('undone'); rollback to s; commit",
        "begin; savepoint s; savepoint t; select tenant.create('undone'); release t; rollback to s; commit",
    ] {
        admin.run(undone).await;
        client.batch_execute("select 1").await.unwrap();
        assert!(heard.try_recv().is_err(), "told of what was rolled back: {undone}");
    }
}

/// Nobody can say it by themselves from inside a tenant, and the trigger is not for calling.
#[tokio::test]
async fn from_inside_a_tenant() {
    let db = shop("announce_inside").await;
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    app.expect_error("TN063", "notify tenant_registry").await;
    app.run("rollback").await;
    app.expect_error("42501", "select tenant_internal.announce_change()").await;
}

//! A listener gets the notifications of the channels and tenants that it listens to, and says when it may have missed
//! some.
//!
//! Not through PgBouncer: LISTEN needs a session of its own: a listener connects to the server directly.

use std::time::Duration;

use pg_tenant_client::{Heard, TenantListener, TenantNotification};
use tokio::time::timeout;

use super::fixture::Fixture;

async fn next(listener: &mut TenantListener) -> Heard {
    timeout(Duration::from_secs(60), listener.next()).await.expect("nothing is heard")
}

async fn heard(listener: &mut TenantListener) -> (String, String, String) {
    match next(listener).await {
        Heard::Notification(TenantNotification { tenant, channel, payload, .. }) => {
            (tenant.map_or_else(String::new, |tenant| tenant.to_string()), channel, payload)
        }
        other => panic!("{other:?}"),
    }
}

fn of(tenant: &str, channel: &str, payload: &str) -> (String, String, String) {
    (tenant.to_owned(), channel.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn of_another_tenant_or_channel_or_transaction() {
    let fixture = Fixture::new("hears").await;
    let pool = fixture.pool(2);
    let mut listener = TenantListener::connect(fixture.db.config(&fixture.db.roles.app)).await.unwrap();
    listener.listen("acme", "orders").await.unwrap();
    listener.listen("globex", "it's \"quoted\"").await.unwrap();

    let notify = "select tenant.notify($1, $2)";
    for (tenant, channel) in [("globex", "orders"), ("acme", "other"), ("acme", "it's \"quoted\"")] {
        pool.tenant(tenant).execute(notify, &[&channel, &"not for us"]).await.unwrap();
    }
    let mut undone = pool.tenant("acme").begin().await.unwrap();
    undone.execute(notify, &[&"orders", &"undone"]).await.unwrap();
    undone.rollback().await.unwrap();
    pool.tenant("acme").execute(notify, &[&"orders", &"1"]).await.unwrap();
    assert_eq!(heard(&mut listener).await, of("acme", "orders", "1"));
    pool.tenant("globex").execute(notify, &[&"it's \"quoted\"", &"2"]).await.unwrap();
    assert_eq!(heard(&mut listener).await, of("globex", "it's \"quoted\"", "2"));

    listener.unlisten("acme", "orders").await.unwrap();
    pool.tenant("acme").execute(notify, &[&"orders", &"no longer"]).await.unwrap();
    pool.tenant("globex").execute(notify, &[&"it's \"quoted\"", &"3"]).await.unwrap();
    assert_eq!(heard(&mut listener).await, of("globex", "it's \"quoted\"", "3"));

    let malformed = listener.listen("no such\nid", "orders").await.unwrap_err();
    assert_eq!(malformed.code(), Some("TN004"));
}

#[tokio::test]
async fn of_a_channel_that_all_share() {
    let fixture = Fixture::new("hears_shared").await;
    let boss = fixture.db.superuser().await;
    boss.run("select tenant.allow_channel('jobs', 'wakes the worker', payload => 'tenant')").await;
    let mut listener = TenantListener::connect(fixture.db.config(&fixture.db.roles.app)).await.unwrap();
    listener.listen_shared("jobs").await.unwrap();
    fixture.pool(1).tenant("acme").execute("select pg_notify('jobs', 'whatever')", &[]).await.unwrap();
    assert_eq!(heard(&mut listener).await, of("", "jobs", "acme"));
}

/// A broken connection is made again, listens to the same, and says that some may be missing.
#[tokio::test]
async fn after_the_connection_broke() {
    let fixture = Fixture::new("hears_again").await;
    let pool = fixture.pool(1);
    let listener = TenantListener::connect(fixture.db.config(&fixture.db.roles.bystander)).await.unwrap();
    let refused = listener.listen("acme", "orders").await.unwrap_err();
    assert_eq!(refused.code(), Some("42501"), "a role outside tenant_user");
    drop(listener);

    let mut listener = TenantListener::connect(fixture.db.config(&fixture.db.roles.app)).await.unwrap();
    listener.listen("acme", "orders").await.unwrap();
    let boss = fixture.db.superuser().await;
    let listening = "from pg_stat_activity where datname = current_database() and query like 'listen%'";
    let ended = boss.value(&format!("select count(pg_terminate_backend(pid, 60000)) {listening}")).await;
    assert_eq!(ended.as_deref(), Some("1"));
    // A wish meanwhile waits for the new connection.
    listener.listen("acme", "invoices").await.unwrap();
    assert_eq!(next(&mut listener).await, Heard::Missed);
    for channel in ["orders", "invoices"] {
        pool.tenant("acme").execute("select tenant.notify($1, 'again')", &[&channel]).await.unwrap();
        assert_eq!(heard(&mut listener).await, of("acme", channel, "again"));
    }
    drop(listener);
    let left = format!("select count(*) {listening}");
    for _ in 0..600 {
        if boss.value(&left).await.as_deref() == Some("0") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it listens after it was dropped");
}

/// Nobody fetches: the oldest go, and that is said.
#[tokio::test]
async fn when_it_is_not_listened_to() {
    let fixture = Fixture::new("hears_lots").await;
    let mut listener = TenantListener::connect(fixture.db.config(&fixture.db.roles.app)).await.unwrap();
    listener.listen("acme", "orders").await.unwrap();
    let pool = fixture.pool(1);
    let many = "select count(tenant.notify('orders', n::text)) from generate_series(1, 3000) n";
    // How much waits is up to the machine: a fast one takes in what a slow one leaves with the server.
    for attempt in 0..600 {
        pool.tenant("acme").execute(many, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(attempt)).await;
        pool.tenant("acme").execute("select tenant.notify('orders', 'last')", &[]).await.unwrap();
        let mut missed = false;
        loop {
            match next(&mut listener).await {
                Heard::Missed => missed = true,
                Heard::Notification(heard) if heard.payload == "last" => break,
                _ => {}
            }
        }
        if missed {
            return;
        }
    }
    panic!("as many as one likes are kept");
}

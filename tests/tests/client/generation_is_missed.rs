//! A transaction tells of which generation its tenant is, in both drivers and with a token as without, and pays no
//! round trip for it.
//!
//! Not through PgBouncer: the entry that tells it is part of every test that goes there.

use std::time::Duration;

use pg_tenant_client::pipeline::query;
use pg_tenant_client::{CacheKey, Generation, Tenant, danger};

use super::fixture::{Fixture, INSERT};
use super::proxy::Proxy;

async fn now(fixture: &Fixture) -> Generation {
    let row = fixture.pool(1).tenant("acme").query_one("select tenant.generation()", &[]).await.unwrap();
    Generation::new(row.get(0))
}

#[tokio::test]
async fn by_a_transaction() {
    let fixture = Fixture::new("gen_tx").await;
    fixture.superuser.run("select tenant.declare_setting('seats', 'integer')").await;
    let before = now(&fixture).await;
    let wire = Proxy::start(fixture.port(), Duration::from_millis(5)).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.operator), 1);
    let acme = pool.tenant("acme");
    acme.query("select 1", &[]).await.unwrap();
    wire.round_trips();

    let mut tx = acme.begin().await.unwrap();
    assert_eq!(tx.generation(), None, "nothing was sent");
    tx.query("select 1", &[]).await.unwrap();
    assert_eq!((tx.generation(), wire.round_trips()), (Some(before), 1));
    fixture.superuser.run("select tenant.set_setting('acme', 'seats', '5')").await;
    tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await.unwrap();
    assert_eq!(tx.generation(), Some(before), "that of its entry");
    tx.rollback().await.unwrap();
    wire.round_trips();

    let after = now(&fixture).await;
    assert_ne!(after, before);
    let mut tx = acme.begin().await.unwrap();
    let (ones, twos) = tx.pipeline((query("select 1", &[]), query("select 1", &[]))).await.unwrap();
    assert_eq!((ones.len(), twos.len()), (1, 1));
    assert_eq!((tx.generation(), wire.round_trips()), (Some(after), 1));
    drop(tx);
    let mut tx = acme.begin().await.unwrap();
    tx.batch_execute("select 7 as generation; select 8 as generation").await.unwrap();
    assert_eq!(tx.generation(), Some(after), "not what a statement of the caller's returns");
    drop(tx);

    let mut system = danger::system(&pool, "a test").begin().await.unwrap();
    system.query("select 7 as generation", &[]).await.unwrap();
    system.commit().await.unwrap();

    let acme: Tenant = "acme".parse().unwrap();
    assert_ne!(CacheKey::new(&acme, "limits").at(before), CacheKey::new(&acme, "limits").at(after));
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("gen_sqlx").await;
    let pool = fixture.sqlx(1);
    let before = now(&fixture).await;
    let tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(tx.generation(), Some(before));
    tx.rollback().await.unwrap();
    fixture.superuser.run("select tenant.define_plan('gold'), tenant.set_plan('acme', 'gold')").await;
    let tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(tx.generation(), Some(now(&fixture).await));
    assert_ne!(tx.generation(), Some(before));
}

//! A call costs more round trips than it must.

use std::time::Duration;

use pg_tenant_client::{Error, danger};
use sqlx::Executor;

use crate::fixture::{Fixture, INSERT};
use crate::proxy::Proxy;

/// Slow enough that what is sent together arrives together.
const DELAY: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("t_pg").await;
    let wire = Proxy::start(fixture.db.cluster().port(), DELAY).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.operator), 1);
    let acme = pool.tenant("acme");
    pool.check().await.unwrap();
    wire.round_trips();

    acme.query("select * from orders where id = $1", &[&1i64]).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "the first use of a statement prepares it");
    for _ in 0..3 {
        acme.query("select * from orders where id = $1", &[&1i64]).await.unwrap();
        assert_eq!(wire.round_trips(), 1, "begin, enter, statement and commit travel together");
    }

    acme.begin().await.unwrap().commit().await.unwrap();
    drop(acme.begin().await.unwrap());
    assert_eq!(wire.round_trips(), 0, "nothing to do, nothing sent");

    acme.execute(INSERT, &[]).await.unwrap();
    wire.round_trips();
    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "begin and enter ride with the first statement");
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1);
    tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "a savepoint rides with its first statement, release is waited for");
    tx.savepoint(async |_| Ok::<_, Error>(())).await.unwrap();
    assert_eq!(wire.round_trips(), 0, "an empty savepoint is not made");
    tx.commit().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the probe travels with commit");

    let system = danger::system(&pool, "a test");
    system.query("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "the first use of a statement prepares it");
    system.query("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the system context is entered in the same flight");

    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    drop(tx);
    acme.execute(INSERT, &[]).await.unwrap();
    assert!(wire.round_trips() <= 3, "returning a connection waits for nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let fixture = Fixture::new("t_sqlx").await;
    let wire = Proxy::start(fixture.db.cluster().port(), DELAY).await;
    let pool = fixture.sqlx_at(wire.port, &fixture.operator, 1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.execute(INSERT).await.unwrap();
    wire.round_trips();
    tx.execute(INSERT).await.unwrap();
    assert_eq!(wire.round_trips(), 1);
    tx.commit().await.unwrap();
    tokio::time::sleep(8 * DELAY).await;
    assert_eq!(wire.round_trips(), 2, "the probe travels with commit; then sqlx pings what comes back to its pool");
    let tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "begin and enter travel together, and nothing is tested before");
    tx.rollback().await.unwrap();
    tokio::time::sleep(8 * DELAY).await;
    assert_eq!(wire.round_trips(), 2, "rollback, and the ping");

    let tx = pg_tenant_client::sqlx::danger::system(&pool, "a test").begin().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the same for the system context");
    tx.rollback().await.unwrap();
}

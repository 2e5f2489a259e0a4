//! Everything that happens to a pool is counted once.

use std::collections::BTreeMap;
use std::time::Duration;

use pg_tenant_client::{Limits, MetricLabels, TenantPool};
use sqlx::Executor;

use crate::fixture::Fixture;
use crate::recorded::Metrics;

fn has(series: &BTreeMap<String, u64>, expected: &[(&str, u64)]) {
    let expected: BTreeMap<_, _> = expected.iter().map(|(name, value)| (format!("pg_tenant_{name}"), *value)).collect();
    let grown: BTreeMap<_, _> = series.iter().filter(|(_, value)| **value > 0).map(|(k, v)| (k.clone(), *v)).collect();
    assert_eq!(grown, expected);
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("o_count").await;
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let limits = Limits::new().connections(1).waiting(0);
    let config = fixture.db.config(&fixture.db.roles.app);
    let pool = TenantPool::builder(config).max_size(2).limits(limits).metric_labels(MetricLabels::tenants(["acme"]));
    let pool = pool.build().unwrap();
    let acme = pool.tenant("acme");

    acme.query("select 1", &[]).await.unwrap();
    pool.check().await.unwrap();
    let lent = [
        ("checkouts_total{tenant=acme}", 1),
        ("checkouts_total{tenant=none}", 1),
        ("wait_seconds{tenant=acme}", 1),
        ("wait_seconds{tenant=none}", 1),
    ];
    has(&metrics.take(), &lent);

    assert!(pool.tenant("nobody").query("select 1", &[]).await.is_err());
    assert!(pool.tenant("sleepy").query("select 1", &[]).await.is_err());
    let lent = [
        ("checkouts_total{tenant=other}", 2),
        ("wait_seconds{tenant=other}", 2),
        ("refusals_total{tenant=other,code=TN002}", 1),
        ("refusals_total{tenant=other,code=TN003}", 1),
    ];
    let mut refused = metrics.take();
    // Where the refusal came before COMMIT was sent, there is a transaction to roll back.
    refused.retain(|name, _| !name.contains("forced_rollbacks"));
    has(&refused, &lent);

    let mut tx = acme.begin().await.unwrap();
    assert!(acme.begin().await.unwrap_err().is_limited());
    tx.query("select 1 / 0", &[]).await.unwrap_err();
    tx.commit().await.unwrap_err();
    let mut tx = acme.begin().await.unwrap();
    tx.query("select 1", &[]).await.unwrap();
    drop(tx);
    let lent = [
        ("checkouts_total{tenant=acme}", 2),
        ("wait_seconds{tenant=acme}", 2),
        ("limited_total{tenant=acme,limit=waiting}", 1),
        ("refusals_total{tenant=acme,code=other}", 1),
        ("probe_failures_total{tenant=acme}", 1),
        // The one whose probe failed, and the one that was dropped.
        ("forced_rollbacks_total{tenant=acme}", 2),
    ];
    has(&metrics.take(), &lent);

    // Dirty, so its connection is given up by the next call, unseen.
    acme.execute("set work_mem = '8MB'", &[]).await.unwrap();
    acme.query("select 1", &[]).await.unwrap();
    let mut tx = acme.begin().await.unwrap();
    tx.batch_execute("commit").await.unwrap();
    assert!(tx.commit().await.unwrap_err().is_tenant_lost());
    let lent = [
        ("checkouts_total{tenant=acme}", 3),
        ("wait_seconds{tenant=acme}", 3),
        ("discards_total{tenant=acme}", 2),
        ("probe_failures_total{tenant=acme}", 1),
    ];
    has(&metrics.take(), &lent);
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("o_count_sqlx").await;
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let limits = Limits::new().connections(1).acquire_timeout(Duration::ZERO);
    let pool = fixture.sqlx(2).limits(limits).metric_labels(MetricLabels::plans(|_| Some("free")));
    let acme = pool.tenant("acme");

    assert_eq!(pool.tenant("nobody").begin().await.unwrap_err().code(), Some("TN002"));
    let mut tx = acme.begin().await.unwrap();
    assert!(acme.begin().await.unwrap_err().is_limited());
    tx.execute("select 1 / 0").await.unwrap_err();
    tx.commit().await.unwrap_err();
    let lent = [
        ("checkouts_total{plan=free}", 2),
        ("wait_seconds{plan=free}", 2),
        ("limited_total{plan=free,limit=connections}", 1),
        ("refusals_total{plan=free,code=TN002}", 1),
        ("refusals_total{plan=free,code=other}", 1),
        ("probe_failures_total{plan=free}", 1),
        // Nobody had ended these two.
        ("forced_rollbacks_total{plan=free}", 2),
    ];
    has(&metrics.take(), &lent);
}

//! The number of time series does not grow with tenants, with plans that a caller makes up, or with SQLSTATEs that a
//! tenant raises.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use pg_tenant_client::{MetricLabels, TenantPool};

use crate::fixture::Fixture;
use crate::recorded::Metrics;

/// The values that a label had.
fn values(series: impl IntoIterator<Item = String>, label: &str) -> BTreeSet<String> {
    let labels = |name: String| {
        let inside = name[name.find('{').unwrap() + 1..name.len() - 1].to_owned();
        inside.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let all = series.into_iter().flat_map(labels);
    all.filter_map(|one| one.strip_prefix(&format!("{label}=")).map(str::to_owned)).collect()
}

async fn thousand_tenants(fixture: &Fixture, labels: MetricLabels) -> Vec<String> {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let config = fixture.db.config(&fixture.db.roles.app);
    let pool = TenantPool::builder(config).max_size(1).metric_labels(labels).build().unwrap();
    for n in 0..1000 {
        assert!(pool.tenant(format!("t{n}")).query("select 1", &[]).await.unwrap_err().is_unknown_tenant());
    }
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    let series = metrics.take();
    assert_eq!(series.iter().filter(|(name, _)| name.contains("checkouts")).map(|(_, n)| n).sum::<u64>(), 1001);
    series.into_keys().collect()
}

#[tokio::test]
async fn with_a_thousand_tenants() {
    let fixture = Fixture::new("o_grow").await;
    let some = values(thousand_tenants(&fixture, MetricLabels::tenants(["acme", "globex"])).await, "tenant");
    assert_eq!(some, BTreeSet::from(["acme".to_owned(), "other".to_owned()]));

    let next = AtomicU32::new(0);
    let made_up = MetricLabels::plans(move |_| Some(format!("plan {}", next.fetch_add(1, Ordering::Relaxed))));
    let plans = values(thousand_tenants(&fixture, made_up).await, "plan");
    assert!(plans.contains("other") && plans.len() == 33, "{plans:?}");

    let none = values(thousand_tenants(&fixture, MetricLabels::plans(|_| None::<String>)).await, "plan");
    assert_eq!(none, BTreeSet::from(["other".to_owned()]));
}

#[tokio::test]
async fn with_a_tenant_that_raises_what_it_likes() {
    let fixture = Fixture::new("o_raise").await;
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let pool = fixture.pool(1);
    for n in 0..100 {
        let sql = format!("do $$ begin raise exception using errcode = 'X{n:04}'; end $$");
        pool.tenant("acme").execute(&sql, &[]).await.unwrap_err();
    }
    assert_eq!(values(metrics.take().into_keys(), "code"), BTreeSet::from(["other".to_owned()]));
}

//! A report across tenants reads on the wrong server, does more than read, or stands nowhere.
//!
//! Not through PgBouncer: it has a primary and replicas of its own, each reached directly.

use std::time::{Duration, Instant};

use pg_tenant_client::{TenantPool, danger};

use super::a_replica_is_out_of_date::{PATIENCE, Pair, cluster};

const COUNT: &str = "select count(*), pg_is_in_recovery() from orders";

/// How many orders there are, and whether a replica said so.
async fn report(pool: &TenantPool, reason: &str) -> (i64, bool) {
    let row = danger::reporting(pool, reason).query_one(COUNT, &[]).await.expect("a report");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_replica_and_on_the_primary() {
    let cluster = cluster();
    let pair = Pair::new(&cluster, "reports").await;
    let role = format!("regress_{}_reports", pair.db.name);
    pair.boss
        .run(&format!(
            "create role {role} login in role tenant_reader; grant select, insert on orders to tenant_reader;
             begin; select tenant.enter_system_as_owner('rows'); insert into orders values ('acme', 1), ('globex', 2); commit"
        ))
        .await;
    pair.follow().await;
    let pool = TenantPool::builder(pair.db.config(&role))
        .replica(pair.standby.config(&pair.db.name, &role))
        .max_replica_lag(Duration::MAX)
        .max_size(2)
        .wait_timeout(PATIENCE)
        .build()
        .expect("a pool");
    let since = Instant::now();
    while report(&pool, "nightly report").await != (2, true) {
        assert!(since.elapsed() < PATIENCE, "the replica is not asked");
    }
    // In a transaction of several statements, too; and no more than reading.
    danger::reporting(&pool, "nightly report")
        .transaction(async |tx| {
            assert!(tx.query_one(COUNT, &[]).await?.get::<_, bool>(1));
            tx.query(COUNT, &[]).await.map(drop)
        })
        .await
        .unwrap();
    let insert = "insert into orders values ('acme', 3)";
    let refused = danger::reporting(&pool, "a repair").execute(insert, &[]).await.unwrap_err();
    assert!(refused.is_read_only(), "{refused:?}");
    let refused = danger::reporting(&pool, "a repair").write().execute(insert, &[]).await.unwrap_err();
    assert!(refused.is_system_refused(), "{refused:?}");
    assert!(danger::reporting(&pool, " ").query(COUNT, &[]).await.unwrap_err().is_reason_missing());
    assert_eq!(pool.tenant("acme").query(COUNT, &[]).await.unwrap_err().code(), Some("42501"));
    // Without saying so it is the primary, as before.
    let row = danger::system(&pool, "on the primary").query_one(COUNT, &[]).await.unwrap();
    assert!(!row.get::<_, bool>(1));

    // The replica's log has each, and is brought in on the primary.
    let log = pair.standby.log();
    let lines: Vec<String> = log
        .lines()
        .filter(|line| line.contains("pg_tenant use {") && line.contains("nightly report"))
        .map(|l| format!("$l${l}$l$"))
        .collect();
    assert!(lines.len() >= 2, "{log}");
    let import = format!("select taken >= 2 from tenant.import_readings(array[{}])", lines.join(","));
    assert_eq!(pair.db.admin().await.value(&import).await.as_deref(), Some("t"));
    let told = "select string_agg(distinct action || ': ' || reason, ', ' order by action || ': ' || reason) from tenant.journal
        where reason in ('nightly report', 'on the primary', 'while it is away')";
    let brought = "enter_system: on the primary, enter_system_unjournalled: nightly report";
    assert_eq!(pair.boss.value(told).await.as_deref(), Some(brought));

    // The replica is away: the primary serves it, and its journal says so.
    pair.standby.stop();
    assert_eq!(report(&pool, "while it is away").await, (2, false));
    let brought =
        "enter_system: on the primary, enter_system: while it is away, enter_system_unjournalled: nightly report";
    assert_eq!(pair.boss.value(told).await.as_deref(), Some(brought));
}

//! A key that was destroyed is of use again: by a backup of the database, a cache, or another one in its place.

use pg_tenant_client::TenantPool;
use pg_tenant_client::keys::Sealed;

use super::world::{IBAN, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_backup() {
    let world = World::new("destroyed").await;
    let (pool, keys) = (world.pool(), world.keys());
    world.customer(&pool, &keys, "acme", "CH93").await;
    world.customer(&pool, &keys, "globex", "DE12").await;
    let dump = tokio::task::block_in_place(|| world.db.dump(&world.db.roles.backup).expect("pg_dump"));
    let operators = TenantPool::builder(world.db.config(&world.db.roles.admin)).max_size(1).build().expect("a pool");
    let refused = keys.destroy(&operators, "acme", "the contract has ended").await.expect_err("it is active");
    assert!(refused.detail().is_some_and(|detail| detail.contains("active")), "{refused:?}");
    world.superuser.run("select tenant.offboard('acme', 'the contract has ended', now())").await;
    // It may be kept after all.
    assert!(keys.destroy(&operators, "acme", "the contract has ended").await.is_err());
    world.superuser.run("select tenant.mark_purged('acme', 'the contract has ended')").await;
    assert!(keys.destroy(&operators, "acme", " ").await.is_err(), "there is no reason");
    for _ in 0..2 {
        keys.destroy(&operators, "acme", "the contract has ended").await.expect("destroyed");
    }
    let told = "select reason || ' ' || (detail ->> 'keys') from tenant.journal where action = 'forget_data_keys' order by id limit 1";
    assert_eq!(world.superuser.value(told).await.as_deref(), Some("the contract has ended 0"));
    // The backup brings rows and wrapped keys back, the tenant too; its values stay closed. The others' open.
    let restored = world.db.cluster().plain_database("keys_restored").await;
    tokio::task::block_in_place(|| restored.psql("postgres", &dump).expect("psql"));
    assert_eq!(restored.superuser().await.value("select count(*) from tenant.data_keys").await.as_deref(), Some("2"));
    let pool = TenantPool::builder(restored.config(&world.db.roles.app)).max_size(1).build().expect("a pool");
    for keys in [keys, world.keys()] {
        let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
        let gone = keys.enter(&mut tx, "pii").await.expect_err("it was destroyed");
        assert!(gone.detail().is_some_and(|detail| detail.contains("destroyed")), "{gone:?}");
        tx.rollback().await.expect("undone");
        let mut tx = pool.tenant("globex").begin().await.expect("a transaction");
        let globex = keys.enter(&mut tx, "pii").await.expect("keys");
        let iban: Sealed<String> = tx.query_one("select iban from customers", &[]).await.expect("a row").get(0);
        assert_eq!(globex.open(&IBAN, &iban).expect("opened"), "DE12");
    }
}

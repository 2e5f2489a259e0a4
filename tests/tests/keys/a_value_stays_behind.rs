//! Values that an old key has sealed are forgotten when it is rotated, or are lost half-way.

use std::time::Duration;

use pg_tenant_client::keys::{FileKeys, Sealed, TenantKeys};

use super::world::{IBAN, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_key_is_rotated() {
    let world = World::new("rotated").await;
    let kept = Duration::from_millis(200);
    let fresh = || TenantKeys::with_ttl(FileKeys::new(&world.directory), kept);
    let (pool, keys) = (world.pool(), fresh());
    for n in 0..25 {
        world.customer(&pool, &keys, "acme", &format!("CH{n}")).await;
    }
    world.customer(&pool, &keys, "globex", "DE12").await;
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let index = keys.enter(&mut tx, "pii").await.expect("keys").blind_index(&IBAN, b"CH7");
    let rotated = keys.rotate(&mut tx, "pii").await.expect("rotated");
    assert_eq!((rotated.version(), rotated.blind_index(&IBAN, b"CH7") == index), (1, true), "it does not seal yet");
    tx.commit().await.expect("committed");
    // Not before every process can have heard of it: one that has not could not open what it seals.
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let early = keys.reseal(&mut tx, "pii", &IBAN, 10).await.expect_err("it is too early");
    assert!(early.to_string().contains("does not seal yet") && early.hint().is_some(), "{early:?}");
    tx.rollback().await.expect("undone");
    tokio::time::sleep(kept * 3).await;
    // One batch is undone, as by a worker that is killed; another is kept while somebody else has a row.
    let reseal = async |commit: bool| {
        let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
        let some = keys.reseal(&mut tx, "pii", &IBAN, 10).await.expect("resealed");
        if commit {
            tx.commit().await.expect("committed")
        } else {
            tx.rollback().await.expect("undone")
        }
        some.resealed
    };
    assert_eq!(reseal(false).await, 10);
    let busy = world.db.app().await;
    busy.run("begin; select tenant.enter('acme'); select from customers where id = 1 for update").await;
    assert_eq!((reseal(true).await, reseal(true).await, reseal(true).await), (10, 10, 4));
    assert_eq!(reseal(true).await, 0);
    busy.run("commit").await;
    assert_eq!((reseal(true).await, reseal(true).await), (1, 0));
    let versions = "select string_agg(distinct tenant_id || encode(substr(iban, 5, 4), 'hex'), ' ') from customers";
    assert_eq!(world.superuser.value(versions).await.as_deref(), Some("acme00000002 globex00000001"));
    // One that begins now opens all, and seals by the new version.
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let acme = fresh().enter(&mut tx, "pii").await.expect("keys");
    let rows = tx.query("select iban from customers where iban_index = $1", &[&index]).await.expect("rows");
    let ibans: Vec<String> =
        rows.iter().map(|row| acme.open(&IBAN, &row.get::<_, Sealed<String>>(0)).expect("opened")).collect();
    assert_eq!((ibans, acme.version()), (vec!["CH7".to_owned()], 2));
}

/// What cannot be sealed anew keeps the others from nothing, and is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_which_one_does_not_open() {
    let world = World::new("spoilt").await;
    let keys = TenantKeys::with_ttl(FileKeys::new(&world.directory), Duration::ZERO);
    let pool = world.pool();
    world.customer(&pool, &keys, "acme", "CH0").await;
    // Another row's last byte is another one.
    let spoil =
        "update customers set iban = set_byte(iban, length(iban) - 1, (get_byte(iban, length(iban) - 1) + 1) % 256)
        where id in (select min(id) from customers)";
    world.superuser.run(spoil).await;
    for n in 1..6 {
        world.customer(&pool, &keys, "acme", &format!("CH{n}")).await;
    }
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    keys.rotate(&mut tx, "pii").await.expect("rotated");
    tx.commit().await.expect("committed");
    let mut done = Vec::new();
    for _ in 0..3 {
        let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
        // The one that does not open is the first that it comes by.
        let some = keys.reseal(&mut tx, "pii", &IBAN, 3).await.expect("resealed");
        tx.commit().await.expect("committed");
        let why = some.why.expect("it is told");
        assert!(why.hint().is_some_and(|hint| hint.contains("ctid = '(0,")), "{why:?}");
        done.push((some.resealed, some.unopened));
    }
    assert_eq!(done, [(3, 1), (2, 1), (0, 1)]);
}

/// Two that make the first key at once have the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_keys() {
    let world = World::new("first").await;
    let pool = world.pool();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (pool, keys) = (pool.clone(), world.keys());
        tasks.spawn(async move {
            let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
            let acme = keys.enter(&mut tx, "pii").await.expect("keys");
            let sealed = acme.seal(&IBAN, &format!("CH{n}")).expect("sealed");
            tx.execute("insert into customers (iban) values ($1)", &[&sealed]).await.expect("inserted");
            tx.commit().await.expect("committed");
        });
    }
    tasks.join_all().await;
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let acme = world.keys().enter(&mut tx, "pii").await.expect("keys");
    let rows = tx.query("select iban from customers", &[]).await.expect("rows");
    let mut ibans: Vec<String> =
        rows.iter().map(|row| acme.open(&IBAN, &row.get::<_, Sealed<String>>(0)).expect("opened")).collect();
    ibans.sort();
    assert_eq!(ibans, ["CH0", "CH1", "CH2", "CH3"]);
}

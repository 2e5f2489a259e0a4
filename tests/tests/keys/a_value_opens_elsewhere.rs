//! A sealed value is copied into another tenant's row, another column or another purpose, and opens there.

use pg_tenant_client::Error;
use pg_tenant_client::keys::Sealed;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::world::{IBAN, NAME, World};

/// The usual code: one key for the application, and nothing said of where a value belongs. Whoever can write rows puts
/// another tenant's value into one of its own, and the application opens it.
#[test]
fn with_one_key_it_does() {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key"));
    let mut of_globex = b"CH93".to_vec();
    let nonce = || Nonce::assume_unique_for_key([1; 12]);
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut of_globex).expect("sealed");
    let mut in_acmes_row = of_globex.clone();
    assert_eq!(key.open_in_place(nonce(), Aad::empty(), &mut in_acmes_row).expect("opened"), b"CH93");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_tenant() {
    let world = World::new("tenant").await;
    let (pool, keys) = (world.pool(), world.keys());
    let id = world.customer(&pool, &keys, "globex", "CH93").await;
    world.customer(&pool, &keys, "acme", "DE12").await;
    let stolen =
        format!("update customers set iban = (select iban from customers where id = {id}) where tenant_id = 'acme'");
    world.superuser.run(&stolen).await;
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let acme = keys.enter(&mut tx, "pii").await.expect("keys");
    let iban: Sealed<String> = tx.query_one("select iban from customers", &[]).await.expect("a row").get(0);
    let refused = acme.open(&IBAN, &iban).expect_err("it is globex's");
    assert!(refused.to_string().contains("customers.iban does not open in tenant acme"), "{refused}");
    assert!(refused.code().is_none() && refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    tx.commit().await.expect("committed");
    // Its own tenant opens it, in this process and in another one.
    for keys in [keys, world.keys()] {
        let mut tx = pool.tenant("globex").begin().await.expect("a transaction");
        let globex = keys.enter(&mut tx, "pii").await.expect("keys");
        let iban: Sealed<String> = tx.query_one("select iban from customers", &[]).await.expect("a row").get(0);
        assert_eq!(globex.open(&IBAN, &iban).expect("opened"), "CH93");
        assert!(!format!("{iban:?} {globex:?}").contains("CH93"));
        tx.commit().await.expect("committed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_column_or_purpose() {
    let world = World::new("column").await;
    let (pool, keys) = (world.pool(), world.keys());
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let (pii, other) =
        (keys.enter(&mut tx, "pii").await.expect("keys"), keys.enter(&mut tx, "other").await.expect("keys"));
    let sealed = pii.seal(&IBAN, "CH93").expect("sealed");
    assert_eq!(pii.open(&IBAN, &sealed).expect("opened"), "CH93");
    assert!(pii.open(&NAME, &sealed).is_err());
    assert!(other.open(&IBAN, &sealed).is_err());
    assert!(pii.open(&IBAN, &Sealed::<u64>::from_bytes(sealed.as_bytes())).is_err(), "it is of another type");
    assert!(pii.open(&IBAN, &Sealed::<String>::from_bytes(b"CH93".as_slice())).is_err());
    let of = |keys: &pg_tenant_client::keys::OpenKeys| keys.blind_index(&IBAN, b"CH93");
    assert!(of(&pii) == of(&pii) && of(&pii) != of(&other) && of(&pii) != pii.blind_index(&NAME, b"CH93"));
    // Asked for again it is the same, and still nobody's but this transaction's.
    let again = keys.enter(&mut tx, "pii").await.expect("keys");
    assert_eq!(again.open(&IBAN, &sealed).expect("opened"), "CH93");
    tx.rollback().await.expect("undone");
    world.customer(&pool, &keys, "acme", "DE12").await;
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let elsewhere = world.keys().enter(&mut tx, "pii").await.expect("keys");
    let iban: Sealed<String> = tx.query_one("select iban from customers", &[]).await.expect("a row").get(0);
    assert_eq!(elsewhere.open(&IBAN, &iban).expect("sealed by a key that is kept"), "DE12");
    tx.commit().await.expect("committed");
    // A transaction that was rolled back has made no key, though this process has seen one.
    let left = world.superuser.value("select count(*) from tenant.data_keys").await;
    assert_eq!(left.as_deref(), Some("1"));
}

/// Over sqlx the same keys, the same values, and nothing in plain text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let world = World::new("sqlx").await;
    let (pool, keys) = (world.pool(), world.keys());
    let id = world.customer(&pool, &keys, "acme", "CH93").await;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(2);
    let url = world.db.url(&world.db.roles.app).parse().expect("an address");
    let pool = pg_tenant_client::sqlx::TenantPool::new(options, url);
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let acme = world.keys().enter_sqlx(&mut tx, "pii").await.expect("keys");
    let index = acme.blind_index(&IBAN, b"CH93");
    let (found, iban): (i64, Sealed<String>) = sqlx::query_as("select id, iban from customers where iban_index = $1")
        .bind(index)
        .fetch_one(&mut tx)
        .await
        .expect("found");
    assert_eq!((found, acme.open(&IBAN, &iban).expect("opened")), (id, "CH93".to_owned()));
    let anew = acme.seal(&IBAN, "DE12").expect("sealed");
    sqlx::query("update customers set iban = $1").bind(anew).execute(&mut tx).await.expect("updated");
    // Plain text is refused by the table.
    let plain = sqlx::query("update customers set iban = 'CH93'").execute(&mut tx).await.map_err(Error::from);
    assert_eq!(plain.expect_err("it is not sealed").code(), Some("23514"));
    drop(tx);
    let told = world.superuser.value("select string_agg(encode(iban, 'escape'), '') from customers").await;
    assert!(!told.expect("rows").contains("CH93"));
}

/// A tenant reads and changes its own data keys alone; they unwrap nothing by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_its_wrapped_key() {
    let world = World::new("wrapped").await;
    let (pool, keys) = (world.pool(), world.keys());
    world.customer(&pool, &keys, "globex", "CH93").await;
    let app = world.db.app().await;
    for statement in
        ["table tenant.data_keys", "delete from tenant.data_keys", "select tenant.forget_data_keys('globex', 'x')"]
    {
        app.expect_error("42501", statement).await;
    }
    app.run("begin; select tenant.enter('acme')").await;
    assert!(app.rows("select * from tenant.data_keys_for('pii')").await.is_empty());
    app.run("rollback").await;
    app.expect_error("TN001", "select tenant.add_data_key('pii', 1, 'x')").await;
    let needed = "select tenant.forget_data_keys('globex', 'a mistake')";
    world.db.admin().await.expect_error("TN169", needed).await;
    // One that is put under another tenant does not unwrap there.
    world.superuser.run("update tenant.data_keys set tenant_id = 'acme'").await;
    let mut tx = pool.tenant("acme").begin().await.expect("a transaction");
    let refused = world.keys().enter(&mut tx, "pii").await.expect_err("it is globex's");
    assert!(refused.to_string().contains("a key of tenant acme could not be unwrapped"), "{refused}");
}

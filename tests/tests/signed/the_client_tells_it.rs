//! The client enters with the token it has, shows it to nobody, and needs no extra round trip for it.

use std::error::Error as _;
use std::time::Duration;

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, Refusal, Signer, TenantPool, TokenSigner};
use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B};
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::fixture::{SECRET, SECRET_2, hs, now, shop_with_keys, token};
use crate::proxy::Proxy;

const WHO: &str = "select count(*), concat_ws('/', tenant.current_actor(), tenant.current_actor_role()) from orders";

/// The shop, whose application must sign.
async fn shop(name: &str) -> Database<'static> {
    let (db, _) = shop_with_keys(name).await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    db
}

fn pool(db: &Database<'_>, signer: Option<TokenSigner>) -> TenantPool {
    let builder = TenantPool::builder(db.config(&db.roles.app)).max_size(1).wait_timeout(Duration::from_secs(60));
    match signer {
        Some(signer) => builder.signer(signer),
        None => builder,
    }
    .build()
    .expect("a pool")
}

fn sqlx(db: &Database<'_>) -> SqlxPool {
    let options: PgConnectOptions = db.url(&db.roles.app).parse().expect("a URL");
    SqlxPool::new(PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(60)), options)
}

fn signer() -> TokenSigner {
    TokenSigner::new(Signer::hs256(Some("hs"), SECRET).expect("a key"))
}

async fn who(answer: Result<tokio_postgres::Row, Error>) -> (i64, String) {
    let row = answer.expect("orders");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn of_a_user_or_its_own() {
    let db = shop("c_both").await;
    let ann = token(A, Some("ann"), Some("clerk"));

    let forwarding = pool(&db, None);
    assert_eq!(who(forwarding.signed(&ann).query_one(WHO, &[]).await).await, (3, "ann/clerk".into()));
    assert_eq!(who(forwarding.signed(token(B, None, None)).query_one(WHO, &[]).await).await, (2, String::new()));
    let error = forwarding.tenant(A).query_one(WHO, &[]).await.expect_err("without a token");
    assert_eq!(error.refusal(), Some(Refusal::SignedEntryRequired));
    let mut tx = forwarding.signed(&ann).begin().await.expect("begin");
    assert_eq!(tx.tenant_id(), None, "nothing was sent");
    let counted = tx.savepoint(async |tx| tx.query_one(WHO, &[]).await).await;
    assert_eq!(who(counted).await.0, 3);
    assert_eq!(tx.tenant_id().map(|id| id.as_str()), Some(A));
    let generation = tx.query_one("select tenant.generation()", &[]).await.expect("a number").get(0);
    assert_eq!(tx.generation().map(|told| told.number()), Some(generation));
    tx.execute("insert into orders (id) values (77)", &[]).await.expect("insert");
    tx.commit().await.expect("the tenant is that of the token");

    let signing = pool(&db, Some(signer()));
    assert_eq!(who(signing.tenant(B).query_one(WHO, &[]).await).await, (2, String::new()));
    let bob = signing.tenant(A).actor("bob").role("owner");
    for _ in 0..3 {
        assert_eq!(who(bob.query_one(WHO, &[]).await).await, (4, "bob/owner".into()));
    }
    assert_eq!(signing.tenant("not an id").query_one(WHO, &[]).await.expect_err("no id").code(), Some("TN004"));
}

#[tokio::test]
async fn over_sqlx() {
    let db = shop("c_sqlx").await;
    let ann = token(A, Some("ann"), None);
    let forwarding = sqlx(&db);
    for _ in 0..2 {
        let row = forwarding.signed(&ann).query_one(sqlx::query(WHO)).await.expect("orders");
        assert_eq!((row.get::<i64, _>(0), row.get::<String, _>(1)), (3, "ann".into()));
    }
    let mut tx = forwarding.signed(&ann).begin().await.expect("begin");
    assert_eq!(tx.tenant_id().as_str(), A);
    let generation = sqlx::query_scalar("select tenant.generation()").fetch_one(&mut tx).await.expect("a number");
    assert_eq!(tx.generation().map(|told| told.number()), Some(generation));
    sqlx::query("insert into orders (id) values (77)").execute(&mut tx).await.expect("insert");
    tx.commit().await.expect("commit");
    let error = forwarding.tenant(A).begin().await.expect_err("without a token");
    assert_eq!(error.code(), Some("TN090"));
    let row = sqlx(&db).signer(signer()).tenant(A).actor("bob").query_one(sqlx::query(WHO)).await.expect("orders");
    assert_eq!((row.get::<i64, _>(0), row.get::<String, _>(1)), (4, "bob".into()));
}

/// Everything that a log line may print of an error.
fn said(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn in_an_error_or_a_debug_output() {
    let db = shop("c_said").await;
    let (pool, sqlx_pool) = (pool(&db, Some(signer())), sqlx(&db));
    let expired = hs("hs", SECRET, &format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() - 60));
    let forged = hs("hs", SECRET_2, &format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() + 60));
    for (token, code) in [(&expired, "TN094"), (&forged, "TN093"), (&"x\0y".repeat(20), "22021")] {
        let builder = pool.signed(token);
        let tx = builder.begin().await.expect("nothing is sent");
        let mut texts = vec![format!("{builder:?} {tx:?} {pool:?}")];
        drop(tx);
        let error = builder.query_one(WHO, &[]).await.expect_err("a bad token");
        assert_eq!(error.code(), Some(code));
        texts.push(said(&error));
        let builder = sqlx_pool.signed(token);
        texts.push(format!("{builder:?} {sqlx_pool:?}"));
        let error = builder.begin().await.expect_err("a bad token");
        assert_eq!(error.code(), Some(code));
        texts.push(said(&error));
        let claims = token.split('.').nth(1).unwrap_or(token);
        assert!(texts.iter().all(|text| !text.contains(claims)), "{texts:?}");
    }
    assert!(!format!("{:?}", signer()).contains("secret"), "{:?}", signer());
    // The pool is none the worse for it.
    assert_eq!(pool.tenant(A).query_one("select 1", &[]).await.expect("a row").get::<_, i32>(0), 1);
}

/// A parameter costs the flight nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_cost_of_a_round_trip() {
    let db = shop("c_flight").await;
    let wire = Proxy::start(db.cluster().port(), Duration::from_millis(5)).await;
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(wire.port).dbname(&db.name).user(&db.roles.app);
    let pool = TenantPool::builder(config).max_size(1).build().expect("a pool");
    pool.check().await.expect("a connection");
    let ann = pool.signed(token(A, Some("ann"), None));
    ann.query(WHO, &[]).await.expect("orders");
    wire.round_trips();
    for _ in 0..3 {
        ann.query(WHO, &[]).await.expect("orders");
        assert_eq!(wire.round_trips(), 1, "begin, enter, statement and commit travel together");
    }
}

/// A session that was used is given up for another, which the token enters.
#[tokio::test]
async fn on_a_session_that_is_dirty() {
    let db = shop("c_dirty").await;
    let pool = pool(&db, None);
    let ann = pool.signed(token(A, Some("ann"), None));
    let mut tx = ann.begin().await.expect("begin");
    tx.batch_execute("set work_mem = '8MB'").await.expect("set");
    tx.commit().await.expect("commit");
    assert_eq!(who(ann.query_one(WHO, &[]).await).await, (3, "ann".into()));
}

//! A token that the server has not accepted does not count against the tenant that it names.

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, Limit, LimitPolicy, Limits, TenantId, TenantPool, TokenVerifier};
use pg_tenant_tests::shop::{A, B};
use sqlx::postgres::PgPoolOptions;

use crate::signed::{SECRET, SECRET_2, hs, now, secret_jwk, set, shop_with_keys, token};

/// One connection for each tenant and two for tokens of which nothing is known; nobody waits.
struct One;

impl LimitPolicy for One {
    fn limits(&self, _: &TenantId) -> Limits {
        Limits::new().connections(1).waiting(0)
    }

    fn unnamed(&self) -> Limits {
        Limits::new().connections(2).waiting(0)
    }
}

fn forged() -> String {
    hs("hs", SECRET_2, &format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() + 600))
}

fn full<T: std::fmt::Debug>(answer: Result<T, Error>) -> bool {
    answer.unwrap_err().limit() == Some(Limit::Waiting)
}

#[tokio::test]
async fn over_tokio_postgres() {
    let (db, _) = shop_with_keys("l_token").await;
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(4).limits(One).build().unwrap();
    let claim = pool.signed(forged()).begin().await.unwrap();
    drop(pool.tenant(A).begin().await.expect("the claim takes nothing of A's share"));
    let another = pool.signed(token(A, None, None)).begin().await.unwrap();
    assert!(full(pool.signed(forged()).begin().await), "all unknown tokens have two together");
    drop((claim, another));
    assert_eq!(pool.signed(forged()).query("select 1", &[]).await.unwrap_err().code(), Some("TN093"));
    let refused = pool.signed(forged()).begin().await.unwrap();
    drop(pool.tenant(A).begin().await.expect("the server has refused it, so it still only claims"));
    drop(refused);

    // Accepted, it is A's from there on.
    let good = token(A, Some("ann"), None);
    let mut tx = pool.signed(&good).begin().await.unwrap();
    drop(pool.tenant(A).begin().await.expect("nothing was sent"));
    tx.query("select 1", &[]).await.unwrap();
    assert!(full(pool.tenant(A).begin().await), "the server has accepted it");
    drop(pool.tenant(B).begin().await.unwrap());
    tx.commit().await.unwrap();
    let again = pool.signed(&good).begin().await.unwrap();
    assert!(full(pool.tenant(A).begin().await), "and comes again");
    drop(again);
    drop(pool.tenant(A).begin().await.unwrap());

    // What the application has verified is no claim.
    let verifier = TokenVerifier::new(set(&[&secret_jwk("hs", SECRET)]).as_bytes()).unwrap().forward();
    let verified = verifier.verify(&token(A, Some("bob"), None)).unwrap();
    let held = pool.tenant(&verified).begin().await.unwrap();
    assert!(full(pool.tenant(A).begin().await));
    drop(held);
}

#[tokio::test]
async fn over_sqlx() {
    let (db, _) = shop_with_keys("l_token_sqlx").await;
    let options = PgPoolOptions::new().max_connections(4);
    let pool = SqlxPool::new(options, db.url(&db.roles.app).parse().unwrap()).limits(One);
    assert_eq!(pool.signed(forged()).begin().await.unwrap_err().code(), Some("TN093"));
    let good = token(A, Some("ann"), None);
    for _ in 0..2 {
        let tx = pool.signed(&good).begin().await.unwrap();
        assert!(full(pool.tenant(A).begin().await), "beginning has sent it, and the server has accepted it");
        pool.tenant(B).begin().await.unwrap().rollback().await.unwrap();
        tx.commit().await.unwrap();
    }
    pool.tenant(A).begin().await.unwrap().commit().await.unwrap();
}

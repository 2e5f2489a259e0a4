//! The transaction has the actor and the role that its `Tenant` has.

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Refusal, Signer, Tenant, TenantPool, TokenSigner, TokenVerifier, ambient};
use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};
use sqlx::Row;

use crate::signed::{SECRET, secret_jwk, set, shop_with_keys, token};

const WHO: &str =
    "select count(*) || concat_ws('/', ' ' || tenant.current_actor(), tenant.current_actor_role()) from orders";

async fn who(pool: &TenantPool, tenant: &Tenant) -> String {
    pool.tenant(tenant).query_one(WHO, &[]).await.expect("orders").get(0)
}

fn pool(db: &Database<'_>, sign: bool) -> TenantPool {
    let builder = TenantPool::builder(db.config(&db.roles.app)).max_size(2);
    let signer = || TokenSigner::new(Signer::hs256(Some("hs"), SECRET).expect("a key"));
    if sign { builder.signer(signer()) } else { builder }.build().expect("a pool")
}

fn verifier() -> TokenVerifier {
    TokenVerifier::new(set(&[&secret_jwk("hs", SECRET)]).as_bytes()).expect("keys")
}

/// The value goes to a pool by itself and by reference, as an id, a tenant, or from the task.
#[tokio::test]
async fn where_the_pool_signs() {
    let (db, _) = shop_with_keys("t_signs").await;
    let pool = pool(&db, true);
    let ann = Tenant::new(A.parse().unwrap()).with_actor("ann").with_role("clerk");
    assert_eq!(who(&pool, &ann).await, "3 ann/clerk");
    assert_eq!(who(&pool, &B.parse().unwrap()).await, "2");
    let bob = pool.tenant(&ann).actor("bob").query_one(WHO, &[]).await.unwrap();
    assert_eq!(bob.get::<_, String>(0), "3 bob/clerk");
    let ambient = ambient::scope(ann.clone(), async { pool.current().query_one(WHO, &[]).await }).await.unwrap();
    assert_eq!(ambient.get::<_, String>(0), "3 ann/clerk");

    let signer = TokenSigner::new(Signer::hs256(Some("hs"), SECRET).unwrap());
    let sqlx = SqlxPool::new(Default::default(), db.url(&db.roles.app).parse().unwrap()).signer(signer);
    assert_eq!(sqlx.tenant(ann).query_one(WHO).await.unwrap().get::<String, _>(0), "3 ann/clerk");
}

/// Without a key of its own, an application forwards what it was given; and only where that was asked for.
#[tokio::test]
async fn where_the_token_is_forwarded() {
    let (db, _) = shop_with_keys("t_forwards").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    let pool = pool(&db, false);
    let sqlx = SqlxPool::new(Default::default(), db.url(&db.roles.app).parse().unwrap());
    let given = token(A, Some("ann"), Some("clerk"));

    let kept = verifier().forward().verify(&given).unwrap();
    assert_eq!((kept.id().as_str(), kept.actor(), kept.role()), (A, Some("ann"), Some("clerk")));
    assert_eq!(who(&pool, &kept).await, "3 ann/clerk");
    assert_eq!(sqlx.tenant(&kept).query_one(WHO).await.unwrap().get::<String, _>(0), "3 ann/clerk");

    let bare = verifier().verify(&given).unwrap();
    let refused = pool.tenant(&bare).query(WHO, &[]).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::SignedEntryRequired));
    // Ann's token does not enter for whom she names.
    let refused = pool.tenant(kept.with_actor("bob")).query(WHO, &[]).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::SignedEntryRequired));
}

/// Where nothing is signed the application is believed as to who acts, as it is with the tenant; a role it cannot give.
#[tokio::test]
async fn where_nothing_is_signed() {
    let db = shop("t_plain").await;
    let ann = Tenant::new(A.parse().unwrap()).with_actor("ann").with_role("clerk");
    assert_eq!(who(&pool(&db, false), &ann).await, "3 ann");
}

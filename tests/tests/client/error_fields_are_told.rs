//! An error names the constraint, the table, the column and the place in the text, over both drivers.

use pg_tenant_client::Error;

use super::fixture::Fixture;

async fn errors(fixture: &Fixture, sql: &'static str) -> [Error; 2] {
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    [
        pool.tenant("acme").query(sql, &[]).await.unwrap_err(),
        sqlx::query(sql).fetch_all(&mut tx).await.unwrap_err().into(),
    ]
}

#[tokio::test]
async fn of_a_violated_constraint() {
    let fixture = Fixture::new("fields").await;
    let owner = fixture.db.owner().await;
    owner
        .run(
            "create table products (tenant_id text not null, sku text, price int not null,
                constraint products_sku unique (tenant_id, sku), constraint products_price check (price > 0))",
        )
        .await;
    fixture.superuser.run("select tenant.protect('products')").await;
    owner.run(&format!("grant select, insert on products to {}", fixture.db.roles.app)).await;
    fixture.pool(1).tenant("acme").execute("insert into products (sku, price) values ('a', 1)", &[]).await.unwrap();
    for error in errors(&fixture, "insert into products (sku, price) values ('a', 1)").await {
        assert!(error.is_unique_violation(), "{error}");
        assert_eq!((error.constraint(), error.table()), (Some("products_sku"), Some("products")), "{error}");
    }
    for error in errors(&fixture, "insert into products (sku, price) values ('b', 0)").await {
        assert!(!error.is_unique_violation() && error.constraint() == Some("products_price"), "{error}");
    }
    for error in errors(&fixture, "insert into products (sku) values ('b')").await {
        assert_eq!((error.code(), error.column()), (Some("23502"), Some("price")), "{error}");
    }
}

#[tokio::test]
async fn of_a_place_in_the_text() {
    let fixture = Fixture::new("position").await;
    let sql = "select total from orders where totl = 1";
    for error in errors(&fixture, sql).await {
        assert_eq!(error.position(), sql.find("totl").map(|at| at + 1), "{error}");
    }
    for error in errors(&fixture, "select 1 / (count(*) - count(*)) from orders").await {
        assert_eq!(error.position(), None, "{error}");
    }
    // A place in a text of the client's is none in the caller's.
    let missing = fixture.db.cluster().plain_database("position_plain").await;
    let pool = pg_tenant_client::TenantPool::builder(missing.config(&missing.roles.app)).build().unwrap();
    assert_eq!(pool.tenant("acme").query("select 1", &[]).await.unwrap_err().position(), None);
}

#[tokio::test]
async fn of_no_row() {
    let fixture = Fixture::new("no_row").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let none = "select id from orders where total = -1";
    let acme = pool.tenant("acme");
    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    for error in [
        acme.query_one(none, &[]).await.unwrap_err(),
        acme.run(async |tx| tx.query_one(none, &[]).await).await.unwrap_err(),
        sqlx::query(none).fetch_one(&mut tx).await.unwrap_err().into(),
    ] {
        assert!(error.is_no_row() && error.code().is_none() && !error.outcome_unknown(), "{error:?}");
    }
    drop(tx);
    assert!(sqlx.tenant("acme").query_one(none).await.unwrap_err().is_no_row());
    assert!(!acme.query_one("select id from orders", &[]).await.unwrap_err().is_no_row());
    assert!(!acme.query_opt("select id from orders", &[]).await.unwrap_err().is_no_row());
}

//! Nobody borrows a connection that is still in the system context, or in its role.

use pg_tenant_client::sqlx::danger as sqlx_danger;
use pg_tenant_client::{TenantPool, danger};
use sqlx::{Executor, Row};

use super::fixture::{Fixture, SYSTEM_INSERT};

/// The same texts in every context: their plans are kept with the connection.
const ORDERS: &str = "select tenant_id, count(*) from orders group by tenant_id order by tenant_id";
const WHERE: &str = "select tenant.current_id(), current_user = session_user, current_setting('transaction_read_only'),
    current_setting('pg_tenant.id')";

async fn sees(pool: &TenantPool, after: &str) {
    for (tenant, count) in [("acme", 2i64), ("globex", 1)] {
        let row = pool.tenant(tenant).query_one(WHERE, &[]).await.unwrap_or_else(|e| panic!("{after}: {e}"));
        let found: (&str, bool, &str, &str) = (row.get(0), row.get(1), row.get(2), row.get(3));
        assert_eq!(found, (tenant, true, "off", tenant), "after {after}");
        let rows = pool.tenant(tenant).query(ORDERS, &[]).await.unwrap();
        let rows: Vec<(&str, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(rows, [(tenant, count)], "after {after}");
    }
}

#[tokio::test]
async fn by_every_way_to_end() {
    let fixture = Fixture::new("b_ends").await;
    let pool = fixture.operators(1);
    danger::system(&pool, "a row").write().execute(SYSTEM_INSERT, &[]).await.unwrap();
    let pid = "select pg_backend_pid()";
    let before: i32 = pool.tenant("acme").query_one(pid, &[]).await.unwrap().get(0);
    sees(&pool, "one statement").await;
    for write in [false, true] {
        let system = danger::system(&pool, "a test");
        let system = if write { system.write() } else { system };
        for end in ["commit", "rollback", "drop", "an error", "a savepoint", "a statement alone"] {
            let mut tx = system.begin().await.unwrap();
            let rows = tx.query(ORDERS, &[]).await.unwrap();
            assert_eq!(rows.len(), 2, "every tenant's");
            let row = tx.query_one(WHERE, &[]).await.unwrap();
            assert_eq!((row.get(0), row.get(1)), (None::<&str>, false));
            match end {
                "commit" => tx.commit().await.unwrap(),
                "rollback" => tx.rollback().await.unwrap(),
                "an error" => {
                    tx.query("select 1/0", &[]).await.unwrap_err();
                    drop(tx);
                }
                "a savepoint" => {
                    tx.savepoint(async |tx| tx.query(ORDERS, &[]).await).await.unwrap();
                    tx.commit().await.unwrap();
                }
                "a statement alone" => {
                    drop(tx);
                    assert_eq!(system.query(ORDERS, &[]).await.unwrap().len(), 2);
                }
                _ => drop(tx),
            }
            sees(&pool, end).await;
        }
    }
    let after: i32 = pool.tenant("acme").query_one(pid, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "it was one connection all the time");
    let alone = danger::connection_without_tenant(&pool).await.unwrap();
    assert_eq!(alone.query(ORDERS, &[]).await.unwrap_err().code().unwrap().code(), "TN001");
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("b_sqlx").await;
    let pool = fixture.sqlx_operators(1);
    sqlx_danger::system(&pool, "a row").write().execute(SYSTEM_INSERT).await.unwrap();
    for end in ["commit", "rollback", "drop", "an error"] {
        let mut tx = sqlx_danger::system(&pool, "a test").begin().await.unwrap();
        assert_eq!(sqlx::query(ORDERS).fetch_all(&mut tx).await.unwrap().len(), 2);
        match end {
            "commit" => tx.commit().await.unwrap(),
            "rollback" => tx.rollback().await.unwrap(),
            "an error" => {
                tx.execute("select 1/0").await.unwrap_err();
                drop(tx);
            }
            _ => drop(tx),
        }
        for tenant in ["acme", "globex"] {
            let row = pool.tenant(tenant).query_one(WHERE).await.unwrap();
            let found: (&str, bool, &str, &str) = (row.get(0), row.get(1), row.get(2), row.get(3));
            assert_eq!(found, (tenant, true, "off", tenant), "after {end}");
            let rows = pool.tenant(tenant).query(sqlx::query(ORDERS)).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), [tenant], "after {end}");
        }
    }
}

/// The session's own dirt is found by this entry as well, and the connection replaced.
#[tokio::test]
async fn or_before_the_operator() {
    let fixture = Fixture::new("b_dirt").await;
    let (pool, sqlx) = (fixture.operators(1), fixture.sqlx_operators(1));
    for dirt in
        ["set search_path = pg_catalog", "set work_mem = '65kB'", "listen loud", "create temp table orders (i int)"]
    {
        for after in [false, true] {
            if after {
                let _ = danger::system(&pool, "dirt").write().execute(dirt, &[]).await;
            } else {
                let _ = pool.tenant("acme").execute(dirt, &[]).await;
            }
            let rows = danger::system(&pool, "a test").query(ORDERS, &[]).await;
            assert_eq!(rows.unwrap_or_else(|e| panic!("after {dirt}: {e}")).len(), 1);
            let _ = pool.tenant("acme").execute(dirt, &[]).await;
            pool.tenant("acme").query(ORDERS, &[]).await.unwrap_or_else(|e| panic!("after {dirt}: {e}"));
            let _ = sqlx_danger::system(&sqlx, "dirt").write().execute(dirt).await;
            let rows = sqlx_danger::system(&sqlx, "a test").query(ORDERS).await;
            assert_eq!(rows.unwrap_or_else(|e| panic!("sqlx, after {dirt}: {e}")).len(), 1);
        }
    }
}

//! diesel's transactions keep what failed, lose what was committed, or reach into another tenant.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};
use pg_tenant_diesel::{TenantConnection, TenantTransactionManager};

use super::fixture::{Fixture, diesel};

diesel::table! {
    orders (id) {
        id -> BigInt,
        total -> BigInt,
        note -> Nullable<Text>,
    }
}

#[derive(Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = orders)]
struct Order {
    id: i64,
    total: i64,
    note: Option<String>,
}

async fn insert(conn: &mut TenantConnection, total: i64) -> QueryResult<Order> {
    diesel::insert_into(orders::table)
        .values((orders::total.eq(total), orders::note.eq("a note")))
        .returning(Order::as_returning())
        .get_result(conn)
        .await
}

/// Rows are read, written, changed and deleted inside one tenant; another's ids are not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_rows_are_seen() {
    let fixture = Fixture::new("o_diesel_crud").await;
    let pool = fixture.pool(2);
    let (acme, globex) = (&mut diesel(&pool, "acme"), &mut diesel(&pool, "globex"));
    let ids = async |conn: &mut TenantConnection| {
        orders::table.select(orders::id).order(orders::id).load::<i64>(conn).await.unwrap()
    };
    assert_eq!((ids(acme).await, ids(globex).await), (vec![1, 2], vec![3, 4]));

    let made = insert(acme, 900).await.unwrap();
    assert_eq!(made.note.as_deref(), Some("a note"));
    let changed = Order { note: None, ..made };
    let update = || diesel::update(orders::table.find(changed.id)).set(orders::note.eq(None::<String>));
    assert_eq!(update().execute(globex).await.unwrap(), 0);
    assert_eq!(update().execute(acme).await.unwrap(), 1);
    assert_eq!(orders::table.find(changed.id).select(Order::as_select()).first(globex).await, Err(Error::NotFound));
    assert_eq!(orders::table.find(changed.id).select(Order::as_select()).first(acme).await.as_ref(), Ok(&changed));
    assert_eq!(diesel::delete(orders::table).execute(globex).await.unwrap(), 2);
    assert_eq!(orders::table.count().get_result::<i64>(acme).await.unwrap(), 3);
    assert_eq!((fixture.orders("acme").await, fixture.orders("globex").await), (3, 0));
    fixture.nothing_is_left("reads and writes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_half_way_is_committed() {
    let fixture = Fixture::new("o_diesel_half").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    let failed = acme.transaction(async |conn| {
        insert(conn, 900).await?;
        insert(conn, 300).await.map(drop) // globex's total: unique across tenants
    });
    assert!(matches!(failed.await, Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, told))
        if told.constraint_name() == Some("orders_total_key")));
    assert_eq!(acme.last_error().and_then(pg_tenant_client::Error::code), Some("23505"));
    // A failed transaction cannot be committed, though PostgreSQL answers COMMIT with success.
    let swallowed = acme.transaction(async |conn| {
        insert(conn, 900).await?;
        insert(conn, 300).await.unwrap_err();
        QueryResult::Ok(())
    });
    swallowed.await.unwrap_err();
    assert_eq!(acme.last_error().and_then(pg_tenant_client::Error::code), Some("25P02"));
    assert_eq!(fixture.orders("acme").await, 2);
    fixture.nothing_is_left("failed transactions").await;
}

/// What is written for any connection of diesel-async's.
async fn generic<C>(conn: &mut C) -> QueryResult<usize>
where
    C: AsyncConnection<Backend = diesel::pg::Pg>,
{
    conn.transaction(async |conn| {
        diesel::insert_into(orders::table).values(orders::total.eq(907i64)).execute(conn).await
    })
    .await
}

/// Nested transactions are savepoints: kept, and undone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_transaction_is_kept_although_it_failed() {
    let fixture = Fixture::new("o_diesel_nested").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    let done = acme.transaction(async |conn| {
        conn.transaction(async |conn| insert(conn, 901).await.map(drop)).await?;
        let undone = conn.transaction(async |conn| {
            insert(conn, 902).await?;
            conn.transaction(async |conn| insert(conn, 903).await.map(drop)).await?;
            Err::<(), Error>(Error::RollbackTransaction)
        });
        assert_eq!(undone.await, Err(Error::RollbackTransaction));
        let failed = conn.transaction(async |conn| {
            insert(conn, 904).await?;
            insert(conn, 904).await.unwrap_err();
            QueryResult::Ok(())
        });
        failed.await.unwrap_err();
        insert(conn, 905).await?;
        assert_eq!(generic(conn).await?, 1);
        QueryResult::Ok(())
    });
    done.await.unwrap();
    TenantTransactionManager::begin_transaction(acme).await.unwrap();
    insert(acme, 906).await.unwrap();
    TenantTransactionManager::rollback_transaction(acme).await.unwrap();
    assert!(matches!(TenantTransactionManager::commit_transaction(acme).await, Err(Error::NotInTransaction)));
    let totals = "select string_agg(total::text, ' ' order by total) from orders where total > 900";
    assert_eq!(fixture.superuser.value(totals).await.as_deref(), Some("901 905 907"));
    assert!(TenantConnection::establish("postgres://localhost").await.is_err());
}

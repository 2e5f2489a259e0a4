//! What a dropped future, a user's own transaction commands or a user's own settings leave of a tenant, under diesel.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager};
use pg_tenant_client::Error as ClientError;
use pg_tenant_diesel::{TenantConnection, TenantTransactionManager};
use tokio::time::timeout;

use super::fixture::{Fixture, diesel, poll_times};

const INSERT: &str = "insert into orders (total) values (900)";

/// In which tenant, how many orders, which setting, which role.
const WHERE: &str = "select concat_ws(' ', tenant.current_id(), (select count(*) from orders),
    current_setting('work_mem'), current_setting('role')) as here";

#[derive(QueryableByName)]
struct Here {
    #[diesel(sql_type = Text)]
    here: String,
}

async fn here(conn: &mut TenantConnection) -> QueryResult<String> {
    Ok(diesel::sql_query(WHERE).get_result::<Here>(conn).await?.here)
}

fn code(conn: &TenantConnection) -> Option<&str> {
    conn.last_error().and_then(ClientError::code)
}

/// A pool of one: the next tenant finds neither rows nor settings nor tables of the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_tenant_finds_something() {
    let fixture = Fixture::new("o_diesel_next").await;
    let pool = fixture.pool(1);
    let (acme, globex) = (&mut diesel(&pool, "acme"), &mut diesel(&pool, "globex"));
    let clean = here(globex).await.unwrap();
    assert!(clean.starts_with("globex 2 "), "{clean}");
    for dirt in ["set work_mem = '65kB'", "select set_config('work_mem', '65kB', false)", "prepare x as select 1"] {
        acme.batch_execute(dirt).await.unwrap();
        assert_eq!(here(globex).await.unwrap(), clean, "after {dirt}");
    }
}

/// Transaction commands as statements are the user's own doing: what runs after them has no tenant, and commit says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_commands_get_out() {
    let fixture = Fixture::new("o_diesel_raw").await;
    let pool = fixture.pool(1);
    let (acme, globex) = (&mut diesel(&pool, "acme"), &mut diesel(&pool, "globex"));
    for raw in ["commit", "rollback", "commit; begin", "rollback and chain"] {
        let done = acme.transaction(async |conn| {
            conn.batch_execute(raw).await?; // refused, or harmless
            conn.batch_execute(INSERT).await.unwrap_err();
            assert_eq!(code(conn), Some("TN001"), "{raw}");
            QueryResult::Ok(())
        });
        assert!(done.await.is_err(), "{raw}");
        assert!(here(globex).await.unwrap().starts_with("globex 2 "), "{raw}");
    }
    // One more begin is refused, and a statement by itself that commits is an error.
    acme.transaction(async |conn| conn.batch_execute("begin").await).await.unwrap_err();
    assert_eq!(code(acme), Some("TN017"));
    acme.batch_execute("commit").await.unwrap_err();
    assert!(acme.last_error().is_some_and(ClientError::is_tenant_lost));
    for set in [
        "set pg_tenant.id = 'globex'",
        "select set_config('pg_tenant.id', 'globex', true)",
        "select tenant.enter('globex')",
    ] {
        assert!(acme.transaction(async |conn| conn.batch_execute(set).await).await.is_err(), "{set}");
    }
    assert_eq!((fixture.orders("acme").await, fixture.orders("globex").await), (2, 2));
    fixture.nothing_is_left("raw commands").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_tenant_is_entered() {
    let fixture = Fixture::new("o_diesel_unknown").await;
    let nobody = &mut diesel(&fixture.pool(1), "nobody");
    here(nobody).await.unwrap_err();
    assert!(nobody.last_error().is_some_and(ClientError::is_unknown_tenant));
}

async fn work(conn: &mut TenantConnection) -> QueryResult<()> {
    conn.transaction(async |conn| {
        conn.batch_execute(INSERT).await?;
        conn.transaction(async |conn| {
            here(conn).await?;
            tokio::task::yield_now().await;
            here(conn).await
        })
        .await?;
        tokio::task::yield_now().await;
        Err(diesel::result::Error::RollbackTransaction)
    })
    .await
}

/// Dropped after any number of polls, a transaction leaves no tenant, nothing open and no slot taken; and the
/// connection goes on outside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_leaves_a_tenant() {
    let fixture = Fixture::new("o_diesel_dropped").await;
    let pool = fixture.pool(1);
    for times in 0.. {
        let acme = &mut diesel(&pool, "acme");
        let finished = poll_times(work(acme), times).await;
        assert!(here(acme).await.unwrap().starts_with("acme 2 "), "after {times} polls, on the same connection");
        fixture.nothing_is_left(&format!("dropped after {times} polls, then a statement")).await;
        poll_times(work(acme), times).await;
        drop(std::mem::replace(acme, diesel(&pool, "globex")));
        assert!(here(acme).await.unwrap().starts_with("globex 2 "), "after {times} polls");
        fixture.nothing_is_left(&format!("dropped after {times} polls")).await;
        if finished {
            assert!(times > 1, "it never waited");
            break;
        }
    }
    // What was running is stopped.
    let acme = &mut diesel(&pool, "acme");
    timeout(Duration::from_millis(50), acme.batch_execute("select pg_sleep(600)")).await.unwrap_err();
    fixture.nothing_is_left("a dropped statement").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// Generic code has diesel-async's own `transaction`, which does not notice that its future was dropped: the connection
/// stays inside it, in the same tenant, and dropping the connection rolls back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_in_generic_code_is_committed() {
    let fixture = Fixture::new("o_diesel_generic").await;
    let pool = fixture.pool(1);
    let acme = &mut diesel(&pool, "acme");
    let half = AsyncConnection::transaction(acme, async |conn: &mut TenantConnection| {
        conn.batch_execute(INSERT).await?;
        std::future::pending::<QueryResult<()>>().await
    });
    timeout(Duration::from_secs(1), half).await.unwrap_err();
    assert!(TenantTransactionManager::is_broken_transaction_manager(acme));
    drop(std::mem::replace(acme, diesel(&pool, "globex")));
    assert!(here(acme).await.unwrap().starts_with("globex 2 "));
    assert_eq!(fixture.orders("acme").await, 2);
    fixture.nothing_is_left("half a transaction").await;
}

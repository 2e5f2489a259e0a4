//! What a dropped future, a user's own transaction commands or a user's own settings leave of a tenant, under sea-orm.

use std::time::Duration;

use pg_tenant_sea_orm::{TenantTransaction, client_error, code};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TransactionSession, TransactionTrait};
use tokio::time::timeout;

use super::fixture::{Fixture, poll_times, sea};

/// In which tenant, how many orders, which setting, which role.
const WHERE: &str = "select concat_ws(' ', tenant.current_id(), (select count(*) from orders),
    current_setting('work_mem'), current_setting('role'))";

async fn text(db: &impl ConnectionTrait, sql: &str) -> Result<String, DbErr> {
    let row: Option<QueryResult> = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    row.expect("a row").try_get_by_index(0)
}

/// A pool of one: the next tenant finds neither rows nor settings nor tables of the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_tenant_finds_something() {
    let fixture = Fixture::new("o_sea_next").await;
    let pool = fixture.sqlx(1);
    let (acme, globex) = (sea(&pool, "acme"), sea(&pool, "globex"));
    let clean = text(&globex, WHERE).await.unwrap();
    assert!(clean.starts_with("globex 2 "), "{clean}");
    for dirt in ["set work_mem = '65kB'", "select set_config('work_mem', '65kB', false)", "prepare x as select 1"] {
        acme.execute_unprepared(dirt).await.unwrap();
        assert_eq!(text(&globex, WHERE).await.unwrap(), clean, "after {dirt}");
    }
}

/// Transaction commands as statements are the user's own doing: what runs after them has no tenant, and commit says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_commands_get_out() {
    let fixture = Fixture::new("o_sea_raw").await;
    let pool = fixture.sqlx(1);
    let (acme, globex) = (sea(&pool, "acme"), sea(&pool, "globex"));
    let insert = "insert into orders (total) values (900)";
    for raw in ["commit", "rollback", "commit; begin", "rollback and chain"] {
        let tx = acme.begin().await.unwrap();
        let refused = tx.execute_unprepared(raw).await.is_err();
        let after = tx.execute_unprepared(insert).await.unwrap_err();
        assert_eq!(code(&after).as_deref(), Some(if refused { "25P02" } else { "TN001" }), "{raw}");
        tx.commit().await.unwrap_err();
        assert_eq!(text(&globex, "select tenant.current_id()").await.unwrap(), "globex", "{raw}");
    }
    // One more begin is refused, and a statement by itself that commits is an error.
    let tx = acme.begin().await.unwrap();
    assert_eq!(code(&tx.execute_unprepared("begin").await.unwrap_err()).as_deref(), Some("TN017"));
    drop(tx);
    let error = acme.execute_unprepared("commit").await.unwrap_err();
    assert!(client_error(&error).is_some_and(pg_tenant_client::Error::is_tenant_lost), "{error}");
    for set in [
        "set pg_tenant.id = 'globex'",
        "select set_config('pg_tenant.id', 'globex', true)",
        "select tenant.enter('globex')",
    ] {
        let tx = acme.begin().await.unwrap();
        assert!(tx.execute_unprepared(set).await.is_err(), "{set}");
    }
    assert_eq!((fixture.orders("acme").await, fixture.orders("globex").await), (2, 2));
    fixture.nothing_is_left("raw commands").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_tenant_is_entered() {
    let fixture = Fixture::new("o_sea_unknown").await;
    let pool = fixture.sqlx(1);
    let error = text(&sea(&pool, "nobody"), "select 1::text").await.unwrap_err();
    assert!(client_error(&error).is_some_and(pg_tenant_client::Error::is_unknown_tenant), "{error}");
    assert_eq!(code(&error).as_deref(), Some("TN002"));
}

async fn work(tx: &TenantTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared("insert into orders (total) values (900)").await?;
    let nested = tx.begin().await?;
    text(&nested, WHERE).await?;
    tokio::task::yield_now().await;
    nested.rollback().await
}

/// Dropped after any number of polls, a transaction leaves no tenant, nothing open and no slot taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_leaves_a_tenant() {
    let fixture = Fixture::new("o_sea_dropped").await;
    let pool = fixture.sqlx(1);
    let (acme, globex) = (sea(&pool, "acme"), sea(&pool, "globex"));
    for times in 0.. {
        let call = async {
            let tx = acme.begin().await.unwrap();
            work(&tx).await.unwrap();
            tx.rollback().await.unwrap();
            text(&acme, WHERE).await.unwrap();
        };
        let finished = poll_times(call, times).await;
        assert!(text(&globex, WHERE).await.unwrap().starts_with("globex 2 "), "after {times} polls");
        fixture.nothing_is_left(&format!("dropped after {times} polls")).await;
        if finished {
            assert!(times > 1, "it never waited");
            break;
        }
    }
    // What was running is stopped.
    timeout(Duration::from_millis(50), acme.execute_unprepared("select pg_sleep(600)")).await.unwrap_err();
    fixture.nothing_is_left("a dropped statement").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// A call that was dropped inside a transaction that goes on: what it left of a savepoint is never guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_made_savepoint_is_used() {
    let fixture = Fixture::new("o_sea_unsettled").await;
    let pool = fixture.sqlx(1);
    let tx = sea(&pool, "acme").begin().await.unwrap();
    tx.execute_unprepared("insert into orders (total) values (900)").await.unwrap();
    while poll_times(tx.begin(), 1).await {}
    assert!(text(&tx, WHERE).await.unwrap_err().to_string().contains("has ended"));
    tx.commit().await.unwrap_err();
    assert_eq!(fixture.orders("acme").await, 2);
    fixture.nothing_is_left("half a savepoint").await;
}

//! Session state that raw SQL left behind reaches no other borrower, and gives none of them an error.

use pg_tenant_client::danger;
use pg_tenant_tests::Route;
use sqlx::Executor;

use super::ROUTE;
use super::fixture::Fixture;

/// What a statement may leave in a session. Some of it the server refuses at once, which is as good.
const DIRT: [&str; 14] = [
    "begin",
    "set search_path = pg_catalog",
    "set statement_timeout = '17min'",
    "select set_config('work_mem', '65kB', false)",
    "set role {other}",
    "set session characteristics as transaction read only",
    "listen loud",
    "create temp table orders (id int)",
    "select pg_advisory_lock(4711)",
    "prepare p as select 1",
    "declare c cursor with hold for select 1",
    "deallocate all",
    "select nextval('totals')",
    "select 1/0",
];

/// What a clean session says: none of the above is in it.
const CLEAN: &str = "select current_setting('search_path') ~ 'public', current_setting('statement_timeout') = '0',
    current_setting('work_mem') <> '65kB', current_user = session_user, current_setting('transaction_read_only') = 'off',
    not exists (select from pg_listening_channels()), to_regclass('pg_temp.orders') is null,
    not pg_advisory_unlock(4711),
    not exists (select from pg_prepared_statements where from_sql), not exists (select from pg_cursors where is_holdable),
    (select count(*) = 2 from orders)";

async fn dirty(name: &str) -> (Fixture, String) {
    let fixture = Fixture::new(name).await;
    let (app, other) = (&fixture.db.roles.app, &fixture.db.roles.bystander);
    fixture.superuser.run(&format!("grant {other} to {app}; grant usage on sequence totals to {app}")).await;
    let other = other.clone();
    (fixture, other)
}

#[tokio::test]
async fn after_a_single_statement() {
    let (fixture, other) = dirty("d_single").await;
    let pool = fixture.pool(1);
    for dirt in DIRT {
        // Prepared statements are cached by then, so losing them would show.
        pool.tenant("acme").query(CLEAN, &[]).await.unwrap();
        let _ = pool.tenant("acme").execute(&dirt.replace("{other}", &other), &[]).await;
        let row = pool.tenant("acme").query_one(CLEAN, &[]).await.unwrap_or_else(|e| panic!("after {dirt}: {e}"));
        assert!((0..row.len()).all(|i| row.get(i)), "{dirt} is still there: {row:?}");
        fixture.nothing_is_left(dirt).await;
    }
}

#[tokio::test]
async fn after_a_transaction() {
    let (fixture, other) = dirty("d_tx").await;
    let pool = fixture.pool(1);
    for dirt in DIRT {
        for commits in [true, false] {
            let mut tx = pool.tenant("acme").begin().await.unwrap();
            tx.query(CLEAN, &[]).await.unwrap_or_else(|e| panic!("before {dirt}: {e}"));
            let _ = tx.batch_execute(&dirt.replace("{other}", &other)).await;
            if commits {
                let _ = tx.commit().await;
            } else {
                drop(tx);
            }
            // The first statement of a transaction, and one that was prepared before.
            let mut tx = pool.tenant("acme").begin().await.unwrap();
            tx.query("select 1", &[]).await.unwrap_or_else(|e| panic!("after {dirt}: {e}"));
            let row = tx.query_one(CLEAN, &[]).await.unwrap_or_else(|e| panic!("after {dirt}: {e}"));
            assert!((0..row.len()).all(|i| row.get(i)), "{dirt} is still there: {row:?}");
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn after_a_transaction_over_sqlx() {
    let (fixture, other) = dirty("d_sqlx").await;
    let pool = fixture.sqlx(1);
    for dirt in DIRT {
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        let _ = tx.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(dirt.replace("{other}", &other)))).await;
        let _ = tx.commit().await;
        let row = pool.tenant("acme").query_one(sqlx::raw_sql(CLEAN)).await;
        let row = row.unwrap_or_else(|e| panic!("after {dirt}: {e}"));
        for i in 0..11 {
            assert!(sqlx::Row::get::<bool, _>(&row, i), "{dirt} is still there, column {i}");
        }
    }
}

/// A role of its own, within the transaction, is no dirt and does not lose the tenant.
#[tokio::test]
async fn a_local_role_fails_the_commit() {
    let (fixture, other) = dirty("d_local").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.batch_execute(&format!("set local role {other}; set local work_mem = '1MB'")).await.unwrap();
    tx.commit().await.unwrap();
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    assert_eq!(pool.status().size, 1);
    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    tx.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set local role {other}")))).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_raw_client_goes_back_to_the_pool() {
    let fixture = Fixture::new("d_raw").await;
    let pool = fixture.pool(1);
    let pid = "select pg_backend_pid()";
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let raw = danger::raw_client(&mut tx).await.unwrap();
    let before: i32 = raw.query_one(pid, &[]).await.unwrap().get(0);
    let tenant: Option<String> = raw.query_one("select tenant.current_id()", &[]).await.unwrap().get(0);
    assert_eq!(tenant.as_deref(), Some("acme"));
    tx.commit().await.unwrap();
    let after: i32 = pool.tenant("acme").query_one(pid, &[]).await.unwrap().get(0);
    assert!(before != after || ROUTE != Route::Direct);

    let unscoped = danger::connection_without_tenant(&pool).await.unwrap();
    assert_eq!(pool.status().size, 0, "its slot is free");
    let refused = unscoped.query("select from orders", &[]).await.unwrap_err();
    assert!(pg_tenant_client::Error::from(refused).is_no_tenant());
}

/// A table that changes under a prepared statement is nothing the caller did.
#[tokio::test]
async fn after_a_column_was_added() {
    let fixture = Fixture::new("d_column").await;
    fixture.superuser.run("create table notes (a int); grant select on notes to public").await;
    let pool = fixture.pool(1);
    pool.tenant("acme").query("select * from notes", &[]).await.unwrap();
    fixture.superuser.run("alter table notes add b int").await;
    pool.tenant("acme").query("select * from notes", &[]).await.unwrap();
    fixture.superuser.run("alter table notes add c int").await;
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.query("select * from notes", &[]).await.unwrap();
    tx.query("select tenant.current_id()", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(pool.status().size, 1);
}

/// A pool whose every connection is dirty from the start says so, instead of connecting for ever. A pooler may run the
/// hook on one session of the server and the transaction on another: there it may begin, but never with what was set.
#[tokio::test]
async fn a_hook_makes_every_connection_dirty() {
    let fixture = Fixture::new("d_hook").await;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(3).after_connect(|connection, _| {
        Box::pin(async move { connection.execute("set work_mem = '65kB'").await.map(drop) })
    });
    let url = format!("postgres://{}@127.0.0.1:{}/{}", fixture.db.roles.app, fixture.port(), fixture.db.name);
    let pool = pg_tenant_client::sqlx::TenantPool::new(options, url.parse().unwrap());
    match pool.tenant("acme").begin().await {
        Err(error) => {
            assert_eq!(error.code(), Some("TN008"), "{error}");
            assert!(error.message().contains("new connection"), "{error}");
        }
        Ok(mut tx) => {
            assert!(matches!(ROUTE, Route::Transaction | Route::TransactionPrepared));
            let memory = sqlx::query_scalar::<_, String>("show work_mem").fetch_one(&mut tx).await.unwrap();
            assert_ne!(memory, "65kB");
        }
    }
}

//! `commit()` returns `Ok` only where PostgreSQL has committed, and a savepoint undoes all of what failed.

use pg_tenant_client::{Error, IsolationLevel, TenantPool, danger};
use sqlx::Executor;

use super::fixture::{Fixture, INSERT, SYSTEM_INSERT};

#[tokio::test]
async fn of_a_failed_transaction() {
    let fixture = Fixture::new("l_failed").await;
    let pool = fixture.pool(1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(tx.execute("select 1/0", &[]).await.unwrap_err().code(), Some("22012"));
    let error = tx.commit().await.unwrap_err();
    assert_eq!(error.code(), Some("25P02"));
    assert!(error.detail().is_some_and(|detail| detail.contains("division by zero")), "{error}");

    // The first statement of all, where begin and the failure travel together.
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(tx.execute("no such statement", &[]).await.unwrap_err().code(), Some("42601"));
    assert_eq!(tx.commit().await.unwrap_err().code(), Some("25P02"));

    let mut tx = fixture.sqlx(1).tenant("acme").begin().await.unwrap();
    tx.execute(INSERT).await.unwrap();
    tx.execute("select 1/0").await.unwrap_err();
    assert_eq!(tx.commit().await.unwrap_err().code(), Some("25P02"));

    fixture.nothing_is_left("failed transactions").await;
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(pool.status().size, 1, "the connection is as good as before");
}

#[tokio::test]
async fn of_a_transaction_that_lost_its_tenant() {
    let fixture = Fixture::new("l_lost").await;
    let pool = fixture.pool(1);
    for end in ["commit", "rollback", "commit and chain"] {
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.query("select 1", &[]).await.unwrap();
        tx.execute(end, &[]).await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(error.is_tenant_lost(), "{end}: {error}");

        let sqlx = fixture.sqlx(1);
        let mut tx = sqlx.tenant("acme").begin().await.unwrap();
        tx.execute(end).await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(error.is_tenant_lost(), "sqlx, {end}: {error}");
        fixture.nothing_is_left(end).await;
        sqlx.tenant("acme").execute("select 1").await.unwrap();
    }
    assert_eq!(pool.tenant("acme").query("select from orders", &[]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_a_transaction_that_lost_the_system_context() {
    let fixture = Fixture::new("l_system").await;
    let (pool, sqlx) = (fixture.operators(1), fixture.sqlx_operators(1));
    // A tenant, and the context the other way, are as much of a loss as nothing at all.
    for end in [
        "commit",
        "rollback",
        "commit and chain",
        "commit; begin; select tenant.enter('acme')",
        "commit; begin; select tenant.enter_system('a test', write => true)",
    ] {
        let mut tx = danger::system(&pool, "a test").begin().await.unwrap();
        tx.query("select 1", &[]).await.unwrap();
        tx.batch_execute(end).await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(error.is_tenant_lost() && error.message().contains("system context"), "{end}: {error}");

        let mut tx = pg_tenant_client::sqlx::danger::system(&sqlx, "a test").begin().await.unwrap();
        tx.execute(sqlx::raw_sql(end)).await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(error.is_tenant_lost() && error.message().contains("system context"), "sqlx, {end}: {error}");
        fixture.nothing_is_left(end).await;
    }
    // And a tenant's transaction does not end in the system context.
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.query("select 1", &[]).await.unwrap();
    tx.batch_execute("commit; begin; select tenant.enter_system('a test')").await.unwrap();
    let error = tx.commit().await.unwrap_err();
    assert!(error.is_tenant_lost() && error.detail().is_some_and(|d| d.contains("system context")), "{error}");

    // Of one that failed nothing was committed, and it says so.
    let mut tx = danger::system(&pool, "a test").write().begin().await.unwrap();
    tx.execute(SYSTEM_INSERT, &[]).await.unwrap();
    tx.execute("select 1/0", &[]).await.unwrap_err();
    assert_eq!(tx.commit().await.unwrap_err().code(), Some("25P02"));
    assert_eq!(fixture.orders("globex").await, 0);
}

#[tokio::test]
async fn what_only_the_commit_finds() {
    let fixture = Fixture::new("l_deferred").await;
    let (pool, sqlx) = (fixture.pool(2), fixture.sqlx(1));
    let twice = "insert into orders (total) values (1)";
    assert_eq!(pool.tenant("acme").execute(twice, &[]).await.unwrap_err().code(), Some("23505"));
    assert_eq!(sqlx.tenant("acme").execute(twice).await.unwrap_err().code(), Some("23505"));

    // Two serializable transactions, each reading what the other writes: one of them is to run again.
    let serializable = pool.tenant("acme").isolation_level(IsolationLevel::Serializable);
    let (mut one, mut two) = (serializable.begin().await.unwrap(), serializable.begin().await.unwrap());
    for tx in [&mut one, &mut two] {
        tx.query("select count(*) from orders", &[]).await.unwrap();
    }
    one.execute(INSERT, &[]).await.unwrap();
    let wrote = two.execute(INSERT, &[]).await;
    one.commit().await.unwrap();
    let error = match wrote {
        Ok(_) => two.commit().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(error.is_retryable(), "{error}");
    assert_eq!(fixture.orders("acme").await, 3);
}

#[tokio::test]
async fn nothing_was_sent() {
    // Nobody listens there: begin takes a connection, so it must fail; a commit without statements needs none.
    let fixture = Fixture::new("l_nothing").await;
    let pool = fixture.pool(1);
    pool.tenant("acme").begin().await.unwrap().commit().await.unwrap();
    pool.tenant("acme").begin().await.unwrap().rollback().await.unwrap();
    // Also for a tenant that is unknown: nobody asked the server.
    pool.tenant("nobody").begin().await.unwrap().commit().await.unwrap();
    assert_eq!(pool.status().size, 1);
}

#[tokio::test]
async fn a_savepoint_keeps_what_failed() {
    let fixture = Fixture::new("l_savepoint").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let run = acme.run(async |tx| {
        tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await?;
        let undone = tx.savepoint(async |tx| {
            tx.execute(INSERT, &[]).await?;
            tx.savepoint(async |tx| tx.execute("select 1/0", &[]).await).await
        });
        assert_eq!(undone.await.unwrap_err().code(), Some("22012"));
        // The closure says Ok although a statement in it failed.
        let swallowed = tx.savepoint(async |tx| {
            tx.execute(INSERT, &[]).await?;
            let _ = tx.execute("select 1/0", &[]).await;
            Ok::<_, Error>(())
        });
        assert_eq!(swallowed.await.unwrap_err().code(), Some("25P02"));
        // Inside a savepoint that has failed, another cannot begin; the outer one is undone all the same.
        let nested = tx.savepoint(async |tx| {
            let _ = tx.execute("select 1/0", &[]).await;
            tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await
        });
        assert_eq!(nested.await.unwrap_err().code(), Some("25P02"));
        tx.savepoint(async |_| Ok::<_, Error>(())).await
    });
    run.await.unwrap();
    assert_eq!(fixture.orders("acme").await, 3);

    let sqlx = fixture.sqlx(1);
    let acme = sqlx.tenant("acme");
    let run = acme.run(async |tx| {
        tx.savepoint(async |tx| Ok::<_, Error>(tx.execute(INSERT).await?)).await?;
        let swallowed = tx.savepoint(async |tx| {
            tx.execute(INSERT).await?;
            let _ = tx.execute("select 1/0").await;
            Ok::<_, Error>(())
        });
        assert_eq!(swallowed.await.unwrap_err().code(), Some("25P02"));
        Ok::<_, Error>(())
    });
    run.await.unwrap();
    assert_eq!(fixture.orders("acme").await, 4);
}

/// `run` must be usable from a spawned task, whose future has to be Send.
#[tokio::test]
async fn run_does_not_travel() {
    async fn add(pool: TenantPool) -> Result<u64, Error> {
        pool.tenant("acme").run(async |tx| tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await).await
    }
    /// What a handler does: its closure borrows what the task owns.
    async fn handler(pool: TenantPool, id: String, sql: String) -> Result<i64, Error> {
        let task = tokio::spawn(async move {
            let tenant = pool.tenant(&id);
            tenant.run(async |tx| Ok::<_, Error>(tx.query_one(&sql, &[&1i64]).await?.get(0))).await
        });
        task.await.unwrap()
    }
    let fixture = Fixture::new("l_spawn").await;
    let sql = "select total from orders where id = $1".to_owned();
    assert_eq!(handler(fixture.pool(1), "acme".to_owned(), sql).await.unwrap(), 1);
    assert_eq!(tokio::spawn(add(fixture.pool(1))).await.unwrap().unwrap(), 1);
    let acme = fixture.pool(1).tenant("acme");
    let failed = acme.run(async |tx| {
        tx.execute(INSERT, &[]).await?;
        Err::<(), Error>(tx.query_one("select 1 where false", &[]).await.unwrap_err())
    });
    failed.await.unwrap_err();
    assert_eq!(fixture.orders("acme").await, 3, "the second run returned Err and was rolled back");
}

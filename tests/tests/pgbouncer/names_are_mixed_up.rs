//! A prepared statement is never executed under a name that the session does not have, or has for another statement.

use std::time::Duration;

use futures_util::future::join_all;
use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, Pooler, TenantPool};
use pg_tenant_tests::{Cluster, Database, Line, PgBouncer, Session};
use sqlx::postgres::PgPoolOptions;

/// Two sessions for everybody, so that a connection gets now one, now the other.
async fn two_sessions(name: &str) -> (Database<'static>, PgBouncer) {
    let cluster = Cluster::shared();
    let db = cluster.database(name).await;
    db.admin().await.run("select tenant.create('acme')").await;
    let moods = "create type mood as enum ('good', 'bad');
        create table moods (tenant_id text not null, id int, how mood);
        grant usage on type mood to public";
    db.owner().await.run(moods).await;
    db.superuser().await.run("select tenant.protect('moods')").await;
    let settings = [("pool_mode", "transaction"), ("default_pool_size", "2"), ("server_idle_timeout", "3600")];
    (db, PgBouncer::start(cluster, Line::Old, &settings))
}

fn pool(bouncer: &PgBouncer, db: &Database<'_>, pooler: Pooler) -> TenantPool {
    let builder = TenantPool::builder(bouncer.config(&db.name, &db.roles.app)).max_size(4);
    builder.pooler(pooler).wait_timeout(Duration::from_secs(60)).build().expect("a pool")
}

/// Each call of several tasks at once; what they wait for keeps the sessions busy, and so changing hands.
async fn at_once(pool: &TenantPool, sql: &str) -> Vec<Error> {
    let calls = (0..4).map(|task| async move {
        let mut failed = Vec::new();
        for call in 0..10i32 {
            let answer = pool.tenant("acme").query_one(sql, &[&(task * 100 + call)]).await;
            match answer {
                Ok(row) => assert_eq!(row.get::<_, i32>(0), task * 100 + call, "another statement answered"),
                Err(error) => failed.push(error),
            }
        }
        failed
    });
    join_all(calls).await.into_iter().flatten().collect()
}

const ECHO: &str = "select $1::int from pg_sleep(0.002)";

/// The hole, with the bare driver: the statement is in the session that another client has now.
#[tokio::test]
async fn where_they_are_kept() {
    let (db, bouncer) = two_sessions("n_kept").await;
    let config = bouncer.config(&db.name, &db.roles.app);
    let (one, other) = (Session::connect(&config).await, Session::connect(&config).await);
    let statement = one.prepare("select 1").await.expect("prepare");
    other.run("begin").await;
    let error = one.query(&statement, &[]).await.expect_err("a statement of another session");
    assert_eq!(error.code().map(|code| code.code()), Some("26000"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_pool_knows_or_finds_out() {
    let (db, bouncer) = two_sessions("n_found").await;
    for pooler in [Pooler::Detect, Pooler::Transaction] {
        let failed = at_once(&pool(&bouncer, &db, pooler), ECHO).await;
        assert!(failed.is_empty(), "{pooler:?}: {failed:?}");
    }
    let error = pool(&bouncer, &db, Pooler::Direct).check().await.unwrap_err();
    assert!(error.message().contains("a pooler stands between"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("Pooler::Detect")), "{error}");
    nothing_is_named(&db, &bouncer).await;
}

/// Types that the driver must ask the server about, which it does with statements of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_types_of_the_database() {
    let (db, bouncer) = two_sessions("n_types").await;
    let pool = pool(&bouncer, &db, Pooler::Detect);
    let acme = pool.tenant("acme");
    for round in 0..4i32 {
        let calls = (0..4).map(|task| {
            let acme = acme.clone();
            async move {
                let id = round * 10 + task;
                acme.execute("insert into moods (id, how) values ($1, 'good')", &[&id]).await?;
                let row = acme.query_one("select id, how, how = 'good'::mood from moods where id = $1", &[&id]).await?;
                assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(2)), (id, true));
                let mut tx = acme.begin().await?;
                tx.query("select 1 from pg_sleep(0.002)", &[]).await?;
                for _ in 0..2 {
                    assert_eq!(tx.query("select array_agg(how) from moods where id = $1", &[&id]).await?.len(), 1);
                }
                if task % 2 == 0 { tx.commit().await } else { tx.rollback().await }
            }
        });
        for done in join_all(calls).await {
            done.unwrap_or_else(|e| panic!("{e}"));
        }
    }
    let counted = acme.query_one("select count(*) from moods", &[]).await.unwrap();
    assert_eq!(counted.get::<_, i64>(0), 16);
    drop(pool);
    nothing_is_named(&db, &bouncer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let (db, bouncer) = two_sessions("n_sqlx").await;
    let make = || {
        let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(60));
        SqlxPool::new(options, bouncer.url(&db.name, &db.roles.app).parse().expect("a URL"))
    };
    let all = |pool: SqlxPool| async move {
        let tasks = (0..4).map(|task| {
            let pool = pool.clone();
            async move {
                let mut failed = 0;
                for call in 0..10i32 {
                    let query = sqlx::query_scalar::<_, i32>(ECHO).bind(task * 100 + call);
                    let answer: Result<i32, Error> =
                        pool.tenant("acme").run(async move |tx| Ok::<_, Error>(query.fetch_one(&mut *tx).await?)).await;
                    failed += i32::from(answer.map_or(true, |n| n != task * 100 + call));
                }
                failed
            }
        });
        join_all(tasks).await.into_iter().sum::<i32>()
    };
    // The hole, with sqlx alone: its statements are in sessions that others have now.
    let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(60));
    let stock = options.connect_lazy(&bouncer.url(&db.name, &db.roles.app)).expect("a URL");
    let tasks = (0..4).map(|task| {
        let stock = stock.clone();
        async move {
            let mut failed = 0;
            for call in 0..10i32 {
                let one = async {
                    let mut tx = stock.begin().await?;
                    let n = sqlx::query_scalar::<_, i32>(ECHO).bind(task * 100 + call).fetch_one(&mut *tx).await?;
                    tx.commit().await.map(|()| n)
                };
                failed += i32::from(one.await.map_or(true, |n: i32| n != task * 100 + call));
            }
            failed
        }
    });
    assert_ne!(join_all(tasks).await.into_iter().sum::<i32>(), 0, "nothing was mixed up: this test shows nothing");
    stock.close().await;
    // What that left would get in nobody's way who gives no names, and in the test's.
    let app = &db.roles.app;
    let end = format!("select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{app}'");
    db.superuser().await.run(&end).await;
    let pool = make().pooler(Pooler::Transaction);
    assert_eq!(all(pool.clone()).await, 0);
    // Types of the database, and a statement that sqlx itself names.
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let good: bool =
        sqlx::query_scalar("select 'good'::mood = $1::mood").bind("good").fetch_one(&mut tx).await.unwrap();
    assert!(good);
    let named = sqlx::SqlSafeStr::into_sql_str("select 4711");
    let named = sqlx::Executor::prepare(&mut tx, named).await.unwrap();
    let n: i32 = sqlx::Statement::query_scalar(&named).fetch_one(&mut tx).await.unwrap();
    assert_eq!(n, 4711);
    tx.commit().await.unwrap();
    nothing_is_named(&db, &bouncer).await;
}

/// In neither of the two sessions has a statement a name.
async fn nothing_is_named(db: &Database<'_>, bouncer: &PgBouncer) {
    let config = bouncer.config(&db.name, &db.roles.app);
    let sessions = [Session::connect(&config).await, Session::connect(&config).await];
    for session in &sessions {
        session.run("begin").await; // and keeps it
        let named = session.rows("select name, statement from pg_prepared_statements").await;
        assert!(named.is_empty(), "{named:?}");
    }
}

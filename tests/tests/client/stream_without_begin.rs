//! Rows that are streamed without a transaction of the caller's are the tenant's, are committed at the end, and leave
//! nothing behind where the stream is dropped.

use futures_util::{StreamExt, TryStreamExt};
use pg_tenant_client::{Error, TenantPool, danger};

use super::fixture::Fixture;

const MANY: &str = "select generate_series(1, 100000), repeat('x', 500)";
const COPY_MANY: &str = "copy (select generate_series(1, 100000), repeat('x', 500)) to stdout";
const ADD: &str = "insert into orders (total) select nextval('totals') from generate_series(1, 5) returning total";
const COPY: &str = "copy (select tenant_id, total from orders order by total) to stdout with (format csv, header)";

fn text(pieces: Vec<impl AsRef<[u8]>>) -> String {
    pieces.iter().map(|piece| String::from_utf8_lossy(piece.as_ref()).into_owned()).collect()
}

/// Its slot is there, and so is what it was about.
async fn works(pool: &TenantPool) {
    assert_eq!(pool.tenant("acme").query("select from orders", &[]).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows() {
    let fixture = Fixture::new("st_rows").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let rows: Vec<_> =
        acme.query_stream("select total from orders order by 1", &[]).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [1, 2]);
    assert_eq!(pool.tenant("globex").query_stream("select from orders", &[]).await.unwrap().count().await, 0);

    // Half of it: nothing was committed, nothing runs on, and the only slot is free.
    for sql in [MANY, ADD] {
        let mut rows = acme.query_stream(sql, &[]).await.unwrap();
        rows.next().await.unwrap().unwrap();
        drop(rows);
        works(&pool).await;
        fixture.nothing_is_left(sql).await;
    }
    // Not a row of it.
    drop(acme.query_stream(ADD, &[]).await.unwrap());
    works(&pool).await;

    // All of it is committed when it ends, and the connection is back then.
    let rows = acme.query_stream(ADD, &[]).await.unwrap();
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap().len(), 5);
    assert_eq!(fixture.orders("acme").await, 7);
    assert_eq!(pool.status().available, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors() {
    let fixture = Fixture::new("st_errors").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    // A row that cannot be made, and a commit that fails: the stream's last item.
    let late = acme.query_stream("select 1 / (3 - n) from generate_series(1, 5) n", &[]).await;
    let late: Vec<_> = late.unwrap().collect().await;
    assert_eq!(late.last().unwrap().as_ref().unwrap_err().code(), Some("22012"));
    let twice = "insert into orders (total) values (7), (7) returning id";
    let deferred: Vec<_> = acme.query_stream(twice, &[]).await.unwrap().collect().await;
    assert_eq!((deferred.len(), deferred[2].as_ref().unwrap_err().code()), (3, Some("23505")));
    assert!(pool.tenant("nobody").query_stream("select 1", &[]).await.unwrap_err().is_unknown_tenant());
    works(&pool).await;
    let read_only = acme.clone().read_only(true).query_stream(ADD, &[]).await;
    let refused = match read_only {
        Err(error) => error,
        Ok(rows) => rows.try_collect::<Vec<_>>().await.unwrap_err(),
    };
    assert_eq!(refused.code(), Some("25006"));
    fixture.nothing_is_left("errors").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies() {
    let fixture = Fixture::new("st_copy").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let all = async |tenant: &str| {
        let copy = pool.tenant(tenant).copy_out(COPY).await.unwrap();
        text(copy.try_collect().await.unwrap())
    };
    assert_eq!(all("acme").await, "tenant_id,total\nacme,1\nacme,2\n");
    assert_eq!(all("globex").await, "tenant_id,total\n");
    let whole: Vec<_> = acme.copy_out("copy orders (total) to stdout").await.unwrap().try_collect().await.unwrap();
    assert_eq!(text(whole), "1\n2\n", "a table by its name");

    let mut half = acme.copy_out(COPY_MANY).await.unwrap();
    half.next().await.unwrap().unwrap();
    drop(half);
    works(&pool).await;
    fixture.nothing_is_left("half a copy").await;

    // What is no copy to the client is refused, and nothing of it stays.
    for (sql, sent) in
        [("delete from orders", false), ("copy orders from stdin", true), ("copy scratch from stdin", true)]
    {
        fixture.superuser.run("create table if not exists scratch (a int); grant all on scratch to public").await;
        let error = acme.copy_out(sql).await.unwrap_err();
        assert_eq!(error.was_not_executed(), !sent, "{sql}: {error:?}");
        works(&pool).await;
    }
    assert_eq!(acme.copy_out("copy orders (no) to stdout").await.unwrap_err().code(), Some("42703"));

    // In a transaction, where half a copy is read past.
    let mut tx = acme.begin().await.unwrap();
    tx.execute("update orders set total = total + 10", &[]).await.unwrap();
    let now: Vec<_> = tx.copy_out(COPY).await.unwrap().try_collect().await.unwrap();
    assert_eq!(text(now), "tenant_id,total\nacme,11\nacme,12\n");
    tx.copy_out(COPY_MANY).await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(tx.query("select from orders", &[]).await.unwrap().len(), 2);
    tx.rollback().await.unwrap();

    let operators = fixture.operators(1);
    let system = danger::system(&operators, "an export");
    let all: Vec<_> = system.copy_out(COPY).await.unwrap().try_collect().await.unwrap();
    assert_eq!(text(all), "tenant_id,total\nacme,1\nacme,2\n");
    assert_eq!(system.query_stream("select from orders", &[]).await.unwrap().count().await, 2);
    fixture.nothing_is_left("copies").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let fixture = Fixture::new("st_sqlx").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    let works = async || {
        let count: i64 = acme.fetch_one(sqlx::query_scalar("select count(*) from orders")).await.unwrap();
        assert_eq!(count, 2);
    };
    let mut rows = sqlx::query("select total from orders").fetch(&acme);
    let mut read = 0;
    while rows.try_next().await.unwrap().is_some() {
        read += 1;
    }
    drop(rows);
    assert_eq!(read, 2);
    for sql in [MANY, ADD] {
        let mut rows = sqlx::query(sql).fetch(&acme);
        rows.next().await.unwrap().unwrap();
        drop(rows);
        works().await;
        fixture.nothing_is_left(sql).await;
    }
    let copied: Vec<_> = acme.copy_out(COPY).await.unwrap().try_collect().await.unwrap();
    assert_eq!(text(copied), "tenant_id,total\nacme,1\nacme,2\n");
    let mut half = acme.copy_out(COPY_MANY).await.unwrap();
    half.next().await.unwrap().unwrap();
    drop(half);
    works().await;
    fixture.nothing_is_left("half a copy").await;
    for sql in ["copy orders (no) to stdout", "copy orders from stdin"] {
        acme.copy_out(sql).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err();
        works().await;
    }
    assert!(acme.copy_out("delete from orders").await.err().unwrap().was_not_executed());

    let mut tx = acme.begin().await.unwrap();
    let copied: Vec<_> = tx.copy_out(COPY).await.unwrap().try_collect().await.unwrap();
    assert_eq!(text(copied), "tenant_id,total\nacme,1\nacme,2\n");
    sqlx::query("select 1").execute(&mut tx).await.unwrap();
    tx.copy_out(COPY_MANY).await.unwrap().next().await.unwrap().unwrap();
    let refused = Error::from(sqlx::query("select 1").execute(&mut tx).await.unwrap_err());
    assert!(refused.is_interrupted(), "sqlx does not read past half a copy");
    drop(tx);
    works().await;

    let rows = sqlx::query(ADD).fetch(&acme).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!((rows.len(), fixture.orders("acme").await), (5, 7));
    let twice = sqlx::query("insert into orders (total) values (7), (7)").execute(&acme).await;
    assert_eq!(Error::from(twice.unwrap_err()).code(), Some("23505"), "the commit's error");
    fixture.nothing_is_left("streams").await;
}

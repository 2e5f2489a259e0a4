//! The error of a parameter that cannot be sent names it, with the type that the statement expects and the one that was
//! given.

use pg_tenant_client::pipeline::{execute, query};
use pg_tenant_client::tokio_postgres::types::ToSql;

use super::fixture::Fixture;

const SQL: &str = "select id from orders where id = $1 and total = $2";

#[tokio::test]
async fn of_another_type() {
    let fixture = Fixture::new("wrong_type").await;
    let pool = fixture.pool(2);
    let acme = pool.tenant("acme");
    for known in [false, true] {
        let mut tx = acme.begin().await.unwrap();
        for error in [
            acme_error(acme.query(SQL, &[&1i64, &"ten"]).await),
            acme_error(acme.pipeline([query(SQL, &[&1i64, &1i64]), query(SQL, &[&1i64, &"ten"])]).await),
        ] {
            assert!(error.message().contains("parameter $2"), "known {known}: {error}");
            let detail = error.detail().unwrap();
            assert!(detail.contains("`&str`") && detail.contains("`int8`"), "known {known}: {error}");
            assert!(error.hint().is_some() && !error.is_closed() && !error.outcome_unknown(), "{error:?}");
        }
        let error = tx.query(SQL, &[&"one", &1i64]).await.unwrap_err();
        assert!(error.message().contains("parameter $1") && error.was_not_executed(), "{error:?}");
        // It was not sent, so the transaction goes on.
        tx.query(SQL, &[&1i64, &1i64]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn acme_error<T>(done: Result<T, pg_tenant_client::Error>) -> pg_tenant_client::Error {
    done.err().expect("an error")
}

#[tokio::test]
async fn of_another_number() {
    let fixture = Fixture::new("wrong_number").await;
    let pool = fixture.pool(1);
    for _ in 0..2 {
        let error = pool.tenant("acme").query(SQL, &[&1i64]).await.unwrap_err();
        assert!(error.message().contains('2') && error.message().contains('1'), "{error}");
        assert!(error.was_not_executed() && !error.is_closed(), "{error:?}");
    }
    // A text that cannot be sent is no reason to give the connection up.
    let error = pool.tenant("acme").query("select 'a\0b'", &[]).await.unwrap_err();
    assert!(error.was_not_executed() && !error.is_closed(), "{error:?}");
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    assert_eq!(pool.status().size, 1);
}

#[tokio::test]
async fn of_more_than_can_be_counted() {
    let fixture = Fixture::new("many_params").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    let sql = |count: usize| {
        let all = (1..=count).map(|n| format!("${n}::int8")).collect::<Vec<_>>().join(",");
        format!("select total from orders where total in ({all})")
    };
    let (most, more) = (sql(65_535), sql(65_536));
    let values: Vec<i64> = (0..65_536).collect();
    let params: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    let acme = pool.tenant("acme");
    assert_eq!(acme.query(&most, &params[..65_535]).await.unwrap().len(), 2);
    let mut tx = acme.begin().await.unwrap();
    let mut errors = vec![
        tx.query(&more, &params).await.unwrap_err(),
        tx.query_stream(&more, &params).await.map(drop).unwrap_err(),
        tx.pipeline((execute("select 1", &[]), execute(&more, &params))).await.unwrap_err(),
    ];
    assert_eq!(errors[2].statement(), Some(1));
    tx.query("select 1", &[]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    let bound = |count: usize| {
        values[..count].iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql(count))), |query, value| query.bind(*value))
    };
    assert_eq!(bound(65_535).fetch_all(&mut tx).await.unwrap().len(), 2);
    errors.push(bound(65_536).fetch_all(&mut tx).await.unwrap_err().into());
    errors.push(bound(65_536).fetch_optional(&mut tx).await.unwrap_err().into());
    sqlx::query("select 1").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    for error in errors {
        assert!(error.message().contains("65535") && error.message().contains("65536"), "{error}");
        assert!(error.was_not_executed() && error.code() == Some("54023") && error.hint().is_some(), "{error:?}");
    }
}

/// sqlx sends each value with a type of its own, so the server says which does not fit, and where.
#[tokio::test]
async fn of_another_type_over_sqlx() {
    let fixture = Fixture::new("wrong_sqlx").await;
    let sqlx = fixture.sqlx(1);
    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    let error = sqlx::query("insert into orders (total) values ($1)").bind("ten").execute(&mut tx).await.unwrap_err();
    let error = pg_tenant_client::Error::from(error);
    assert!(error.message().contains("bigint") && error.message().contains("text"), "{error}");
    assert_eq!(error.position(), Some(36), "{error}");
}

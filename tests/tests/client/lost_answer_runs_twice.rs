//! A call whose answer was lost is not executed twice.
//!
//! The connection breaks at each point of the answer: what was sent has arrived, and the rest of the answer never
//! comes.

use std::pin::Pin;

use pg_tenant_client::pipeline::{execute, query};
use pg_tenant_client::{Error, TenantPool, TenantTx};

use super::cut::cut;
use super::fixture::{Fixture, INSERT};

type Call = for<'a> fn(&'a TenantPool) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Every call adds exactly one order, if any.
const CALLS: [(&str, Call); 7] = [
    ("execute", |pool| Box::pin(async { pool.tenant("acme").execute(INSERT, &[]).await.map(drop) })),
    ("execute with a parameter", |pool| {
        Box::pin(async {
            let sql = "insert into orders (total) values ($1)";
            pool.tenant("acme").execute(sql, &[&(10 + i64::from(std::process::id()))]).await.map(drop)
        })
    }),
    ("query", |pool| {
        let sql = "insert into orders (total) values (nextval('totals')) returning id";
        Box::pin(async { pool.tenant("acme").query(sql, &[]).await.map(drop) })
    }),
    ("pipeline", |pool| {
        Box::pin(async { pool.tenant("acme").pipeline((query("select 1", &[]), execute(INSERT, &[]))).await.map(drop) })
    }),
    ("last statement and commit", |pool| {
        Box::pin(async { pool.tenant("acme").begin().await?.execute_then_commit(INSERT, &[]).await.map(drop) })
    }),
    ("insert_many", |pool| {
        Box::pin(async { pool.tenant("acme").insert_many("orders", &["total"], [(10i64,)]).await.map(drop) })
    }),
    ("retry", |pool| {
        Box::pin(async {
            let acme = pool.tenant("acme").retry(pg_tenant_client::Retry::default());
            acme.run(async |tx: &mut TenantTx| tx.execute(INSERT, &[]).await).await.map(drop)
        })
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_was_lost() {
    let fixture = Fixture::new("lost").await;
    for (name, call) in CALLS {
        for known in [false, true] {
            let case = format!("{name}, known to the pool: {known}");
            let mut lost = 0;
            // The first two answers are those to connecting and to checking the extension.
            for answers in 2.. {
                let port = cut(fixture.port(), usize::from(known), answers).await;
                let pool = fixture.pool_of(fixture.config_at(port, &fixture.db.roles.app), 2);
                let mut held = None;
                if known {
                    call(&pool).await.unwrap();
                    fixture.superuser.run("delete from orders where total > 2").await;
                    held = Some(pool.tenant("acme").begin().await.unwrap());
                }
                pool.check().await.unwrap();
                let outcome = call(&pool).await;
                drop(held);
                fixture.nothing_is_left(&case).await;
                let added = fixture.orders("acme").await - 2;
                match &outcome {
                    Ok(()) => assert_eq!(added, 1, "{case}, cut after {answers}: Ok"),
                    Err(error) if error.is_closed() => {
                        assert!(added <= 1, "{case}, cut after {answers}: {added} times");
                        told(error, added);
                    }
                    Err(error) => panic!("{case}, cut after {answers}: {error}"),
                }
                lost += usize::from(outcome.is_err() && added == 1);
                fixture.superuser.run("delete from orders where total > 2").await;
                if outcome.is_ok() && answers > 3 {
                    break;
                }
            }
            assert!(lost > 0, "{case}: no answer was lost of what had happened");
        }
    }
}

/// The error never says less than what happened.
fn told(error: &Error, added: i64) {
    assert!(error.outcome_unknown() || added == 0, "committed, and said to be known: {error:?}");
    assert!(!error.was_not_executed() || !error.outcome_unknown(), "{error:?}");
}

/// A connection that breaks as it begins is replaced; one that breaks as it commits is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let fixture = Fixture::new("lost_sqlx").await;
    let with_argument = "insert into orders (total) select nextval('totals') where $1";
    for text in [true, false] {
        let mut lost = 0;
        // The first answer is that to connecting.
        for answers in 1..6 {
            let port = cut(fixture.port(), 0, answers).await;
            let pool = fixture.sqlx_at(port, &fixture.db.roles.app, 2);
            let acme = pool.tenant("acme");
            let outcome = match text {
                true => acme.execute(INSERT).await,
                false => acme.execute(sqlx::query(with_argument).bind(true)).await,
            };
            fixture.nothing_is_left("a lost answer").await;
            let added = fixture.orders("acme").await - 2;
            match &outcome {
                Ok(done) => assert_eq!((added, done.rows_affected()), (1, 1), "cut after {answers}: Ok"),
                Err(error) => {
                    assert!(error.is_closed() && added <= 1, "cut after {answers}: {added}, {error}");
                    told(error, added);
                }
            }
            lost += usize::from(outcome.is_err() && added == 1);
            fixture.superuser.run("delete from orders where total > 2").await;
        }
        assert!(lost > 0, "of a text: {text}, no answer was lost of what had happened");
    }
}

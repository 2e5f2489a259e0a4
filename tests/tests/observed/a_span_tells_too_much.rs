//! A span has the fields that it should have, and no part of a statement's text or parameters.

use pg_tenant_client::Error;

use crate::fixture::Fixture;
use crate::recorded::{Seen, Spans};
use crate::signed::{shop_with_keys, token};

const SECRET: &str = "select id from orders where 'hidden' = $1 -- hidden";

/// Name, tenant, rows, retries and code of each.
fn told(seen: &[Seen]) -> Vec<String> {
    let line = |s: &Seen| [s.name, s.field("tenant"), s.field("rows"), s.field("retries"), s.field("code")].join("/");
    seen.iter().map(line).collect()
}

fn hides(seen: &[Seen]) {
    let all = format!("{seen:?}");
    for word in ["hidden", "orders", "set work_mem"] {
        assert!(!all.contains(word), "{word}: {all}");
    }
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("o_spans").await;
    let pool = fixture.pool(1);
    let acme = pool.tenant("acme");
    let spans = Spans::record();

    acme.query(SECRET, &[&"hidden"]).await.unwrap();
    let once = spans.take();
    assert_eq!(told(&once), ["begin/acme///", "select/acme/2//"]);
    hides(&once);

    let failed: Result<(), Error> = acme
        .run(async |tx| {
            tx.execute("update orders set total = total", &[]).await?;
            tx.savepoint(async |tx| tx.query_one(SECRET, &[&"hidden"]).await.map(drop)).await.unwrap_err();
            tx.query("select 1 / (total - total) from orders", &[]).await?;
            Ok(())
        })
        .await;
    assert_eq!(failed.unwrap_err().code(), Some("22012"));
    let run = spans.take();
    assert_eq!(
        told(&run),
        [
            "begin/acme///",
            "update/acme/2//",
            "select/acme/2//",
            "rollback/acme///",
            "savepoint/acme///",
            "select/acme///22012",
            "rollback/acme///",
            "transaction/acme///"
        ]
    );
    let parents: Vec<_> = run.iter().map(|span| span.parent.unwrap_or("")).collect();
    let inside =
        ["transaction", "transaction", "savepoint", "savepoint", "transaction", "transaction", "transaction", ""];
    assert_eq!(parents, inside);
    hides(&run);

    // The session is dirty now, so the next call takes another connection.
    acme.execute("set work_mem = '8MB'", &[]).await.unwrap();
    acme.query(SECRET, &[&"hidden"]).await.unwrap();
    let again = spans.take();
    assert_eq!(told(&again), ["begin/acme///", "set/acme/0//", "begin/acme///", "select/acme/2/1/"]);
    hides(&again);

    let mut tx = acme.begin().await.unwrap();
    let mut rows = Box::pin(tx.query_stream("select 1 from orders", &[]).await.unwrap());
    while futures_util::StreamExt::next(&mut rows).await.is_some() {}
    drop(rows);
    tx.batch_execute("select 1; select 2").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told(&spans.take()), ["begin/acme///", "select/acme/2//", "select/acme///", "commit/acme///"]);
    assert!(pool.tenant("nobody").query("select 1", &[]).await.is_err());
    assert_eq!(told(&spans.take()), ["begin/nobody///", "select/nobody///TN002"]);
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("o_spans_sqlx").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    let spans = Spans::record();
    acme.query(sqlx::query(SECRET).bind("hidden")).await.unwrap();
    let once = spans.take();
    assert_eq!(told(&once), ["begin/acme///", "select/acme/2//", "commit/acme///"]);
    hides(&once);

    let mut tx = acme.begin().await.unwrap();
    sqlx::query(SECRET).bind("hidden").fetch_optional(&mut tx).await.unwrap();
    sqlx::query("update orders set total = total / $1").bind(0i64).execute(&mut tx).await.unwrap_err();
    tx.rollback().await.unwrap();
    let seen = spans.take();
    assert_eq!(told(&seen), ["begin/acme///", "select/acme/1//", "update/acme///22012", "rollback/acme///"]);
    hides(&seen);
}

/// Where support works in a tenant, each span says in whose place, and who.
#[tokio::test]
async fn of_support() {
    use pg_tenant_client::admin::{NewImpersonation, Support};
    let fixture = Fixture::new("o_support").await;
    let role = format!("regress_{}_support", fixture.db.name);
    fixture
        .superuser
        .run(&format!("create role {role} login in role tenant_support; grant select on orders to {role}"))
        .await;
    let pool = fixture.pool_of(fixture.config(&role), 1);
    let new = NewImpersonation::new("acme", "ticket 7").as_user("ann");
    let grant = Support::new(pool.clone()).ask(new).await.unwrap();
    let spans = Spans::record();
    let acme = pool.impersonate(&grant);
    acme.transaction(async |tx| {
        tx.query(SECRET, &[&"hidden"]).await?;
        tx.transaction(async |tx| tx.batch_execute("select 1; select 2").await).await
    })
    .await
    .unwrap();
    let sqlx = fixture.sqlx_at(fixture.port(), &role, 1);
    let mut tx = sqlx.impersonate(&grant).begin().await.unwrap();
    sqlx::query(SECRET).bind("hidden").fetch_optional(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let seen = spans.take();
    assert!(seen.len() > 8, "{seen:?}");
    for span in &seen {
        assert_eq!(
            (span.field("actor"), span.field("impersonator"), span.field("tenant")),
            ("ann", &*role, "acme"),
            "{span:?}"
        );
    }
    hides(&seen);
    pool.tenant("acme").query("select 1", &[]).await.unwrap_err();
    assert!(spans.take().iter().all(|span| span.field("impersonator").is_empty()));
}

/// Whom a token names is told once the server has said so; the token is not.
#[tokio::test]
async fn of_a_token() {
    use pg_tenant_tests::shop::A;
    let (db, _) = shop_with_keys("o_token").await;
    let pool = pg_tenant_client::TenantPool::builder(db.config(&db.roles.app)).build().unwrap();
    let token = token(A, Some("ann"), None);
    let spans = Spans::record();
    pool.signed(&token).query("select 1", &[]).await.unwrap();
    let seen = spans.take();
    assert_eq!(told(&seen), ["begin////".to_owned(), format!("select/{A}/1//")]);
    assert!(!format!("{seen:?}").contains(&token[..10]));
}
